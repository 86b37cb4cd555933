"""`convserve batch`: real files, real worker processes; the cluster has its tests in dispatch/test_cluster.py."""

from __future__ import annotations

import asyncio
import errno
import glob
import json
import os
import pty
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from service import cli
from service.batch import files
from service.batch.run import LANES_PER_WORKER, Batch, Order, Tally
from service.batch.sources import BadSources, Item, find
from service.dispatch import Status
from service.engine import jobs
from service.engine.jobs import Job
from service.engine.jobs.pipeline import perform
from service.engine.machine.limits import Limits
from service.settings import Settings
from tests.live import ROOT
from tests.processes import children, gone, one_processor
from tests.waiting import FIRST_START, wait_until

BLUR = {"op": "blur", "sigma": 1}
SLOW = {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 2}, "method": "richardson_lucy", "iterations": 40}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of the machine out, and stay where no .env is."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONVSERVE_{name.upper()}", raising=False)
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("CONVSERVE_WORKERS", "2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.json").write_text(json.dumps(BLUR), encoding="utf-8")


def batch(*arguments: str | Path, spec: str = "spec.json") -> Result:
    return CliRunner().invoke(cli.app, ["batch", *(str(argument) for argument in arguments), "--spec", spec])


def png(side: int = 5, seed: int = 0) -> bytes:
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def make(*paths: str, content: bytes | None = None) -> None:
    for seed, name in enumerate(paths):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(png(5, seed) if content is None else content)


def names(folder: str) -> list[str]:
    """List all files, also those of names that begin with a dot."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def expected(path: str) -> bytes:
    job = Job("filter", Path(path).read_bytes(), Limits(), perf_counter(), "image", json.dumps(BLUR).encode())
    return bytes(perform(job, 1).body)


def lines(result: Result) -> list[list[str]]:
    """Give the rows of the table of failures, its head left out."""
    return [line.split(maxsplit=2) for line in result.stdout.splitlines()[3:]]


def test_folder_is_filtered_with_its_sub_folders() -> None:
    make("in/b.png", "in/a.tar.png", "in/deep/er/b.jpg", "in/noend", "in/.hidden.png", "in/.git/c.png")
    result = batch("in", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("4 made, 0 already there, 0 failed in ")
    assert names("out") == ["a.tar.png", "b.png", "deep/er/b.png", "noend.png"]
    assert Path("out/deep/er/b.png").read_bytes() == expected("in/deep/er/b.jpg")


def test_destination_inside_the_source_is_no_source() -> None:
    make("in/a.png")
    assert batch("in", "in/out").exit_code == 0
    again = batch("in", "in/out")
    assert again.stdout.startswith("0 made, 1 already there, 0 failed")
    assert names("in") == ["a.png", "out/a.png"]


def test_glob_keeps_the_folders_below_its_fixed_part() -> None:
    make("in/x/a.png", "in/y/a.png", "in/y/b.jpg", "in/a.png")
    assert batch("in/*/*.png", "out").exit_code == 0
    assert names("out") == ["x/a.png", "y/a.png"]
    assert batch("in/**/*.jpg", "deep").exit_code == 0
    assert names("deep") == ["y/b.png"]


def test_list_file_names_its_sources() -> None:
    make("x/a.png", "y/with space.png")
    Path("list.txt").write_text(f"x/a.png\n\n{Path('y/with space.png').resolve()}\r\n", encoding="utf-8")
    assert batch("list.txt", "out").exit_code == 0
    assert names("out") == ["a.png", "with space.png"]


def test_what_is_there_is_not_made_again() -> None:
    make("in/a.png", "in/b.png", "in/c.png")
    make("out/b.png", content=b"made before")
    result = batch("in", "out")
    assert result.stdout.startswith("2 made, 1 already there, 0 failed")
    assert Path("out/b.png").read_bytes() == b"made before"
    again = batch("in", "out")
    assert (again.exit_code, again.stdout[:27]) == (0, "0 made, 3 already there, 0 ")


def test_failures_are_a_table_and_cost_nobody_else() -> None:
    make("in/good.png")
    make("in/no.png", content=b"no image at all")
    make("in/cut.png", content=png()[:-30])
    make("in/empty.png", content=b"")
    Path("in/gone.png").symlink_to("nowhere")
    os.mkfifo("in/pipe.png")
    result = batch("in", "out")
    assert result.exit_code == 1
    assert result.stdout.startswith("1 made, 0 already there, 3 failed")
    assert "; 1 skipped, not pictures by their content\n" in result.stdout
    assert lines(result) == [
        ["in/cut.png", "invalid_image", lines(result)[0][2]],
        ["in/empty.png", "missing_image", "the image is empty"],
        ["in/gone.png", "unreadable_file", "it is a link to nothing"],
    ]
    assert names("out") == ["good.png"]


def test_list_may_begin_with_a_byte_order_mark() -> None:
    make("a.png", "b.png")
    Path("list").write_bytes(b"\xef\xbb\xbfa.png\r\nb.png\r\n")
    found = find("list", Path("out"), ".png")
    assert [item.source for item in found.items] == ["a.png", "b.png"]


def test_folder_that_is_called_like_a_picture_is_a_folder() -> None:
    """And what file managers leave behind is no picture, a picture of another suffix is one."""
    make("in/forest.png/0.png", "in/forest.png/wrong.gif")
    make("in/desktop.ini", content=b"[.ShellClassInfo]\r\n")
    make("in/Thumbs.db", content=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    result = batch("in", "out")
    assert result.stdout.startswith("2 made, 0 already there, 0 failed")
    assert "; 2 skipped" in result.stdout
    assert names("out") == ["forest.png/0.png", "forest.png/wrong.png"]


TEXT = b"notes about the picture\n"
FUJI = b"FUJIFILMCCD-RAW 0201FF129502X-T1"
CANON = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"


def dng(directory: int) -> bytes:
    """Make a TIFF whose directory, at that byte, has the tag DNGVersion 1.4 alone (TIFF 6.0, section 2; DNG 1.4)."""
    entry = struct.pack("<HHI4B", 50706, 1, 4, 1, 4, 0, 0)
    head = b"II*\0" + struct.pack("<I", directory)
    return head + bytes(directory - len(head)) + struct.pack("<H", 1) + entry + bytes(4)


@pytest.mark.parametrize(
    "content",
    [TEXT, FUJI, CANON, b"%PDF-1.7\n", dng(8), dng(9000)],
    ids=["text", "RAF", "CR3", "PDF", "DNG", "DNG, its directory far behind"],
)
@pytest.mark.parametrize("source", ["in", "in/*", "list"])
def test_what_is_no_picture_is_passed_over_and_clashes_with_none(source: str, content: bytes) -> None:
    make("in/a.png", "in/b.png")
    make("in/a.txt", "in/a.0", "in/only", content=content)
    Path("list").write_text("\n".join(f"in/{name}" for name in sorted(os.listdir("in"))), encoding="utf-8")
    result = batch(source, "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 made, 0 already there, 0 failed")
    assert "; 3 skipped, not pictures by their content" in result.stdout
    assert names("out") == ["a.png", "b.png"]


def test_a_large_film_is_passed_over_and_a_large_picture_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.png", content=png(40))
    make("in/film.mp4", content=b"\0\0\0\x18ftypisom" + bytes(20_000))
    monkeypatch.setenv("CONVSERVE_MAX_BODY_BYTES", "1000")
    result = batch("in", "out")
    assert [row[:2] for row in lines(result)] == [["in/a.png", "body_too_large"]]
    assert "1 skipped" in result.stdout


def test_two_pictures_of_one_stem_clash_whatever_is_beside_them() -> None:
    make("in/a.png", "in/a.jpg")
    make("in/a.txt", content=TEXT)
    make("in/a.cut", content=png()[:60])
    with pytest.raises(BadSources) as caught:
        find("in", Path("out"), ".png")
    assert str(caught.value).splitlines() == [
        "in/a.cut and in/a.jpg would both become out/a.png",
        "in/a.cut and in/a.png would both become out/a.png",
    ]


def test_what_cannot_be_read_clashes_with_none_and_is_a_failure() -> None:
    make("in/a.png")
    make("in/a.gif", content=b"")
    Path("in/a.jpg").symlink_to("absent.jpg")
    found = find("in", Path("out"), ".png")
    assert [item.source for item in found.items] == ["in/a.png"]
    assert sorted((row.source, row.code) for row in found.failures) == [
        ("in/a.gif", "missing_image"),
        ("in/a.jpg", "unreadable_file"),
    ]


def forbid(monkeypatch: pytest.MonkeyPatch, *folders: str) -> None:
    """Let nobody list these folders, the superuser, whom permissions do not bind, included."""
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path in folders:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


@pytest.mark.parametrize("source", ["in", "in/**", "in/**/*.png", "in/*/*.png"])
def test_folder_that_may_not_be_entered_is_a_failure(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.png", "in/closed/b.png", "in/open/c.png")
    forbid(monkeypatch, "in/closed")
    result = batch(source, "out")
    assert result.exit_code == 1
    assert lines(result) == [["in/closed", "unreadable_folder", "it cannot be read: Permission denied"]]
    assert "open/c.png" in names("out")
    planned = batch(source, "out", "--dry-run")
    assert planned.exit_code == 1
    assert "in/closed  unreadable_folder" in planned.stdout


def test_source_that_may_not_be_entered_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.png")
    forbid(monkeypatch, "in")
    result = batch("in", "out")
    assert (result.exit_code, lines(result)[0][:2]) == (1, ["in", "unreadable_folder"])


@pytest.mark.parametrize("source", ["in", "in/**/*.png"])
def test_linked_folders_are_followed_once(source: str) -> None:
    """By their own name where they have one; loops end; what is linked twice from elsewhere is taken once."""
    make("in/z/a.png", "elsewhere/b.png", "elsewhere/deep/c.png", "out/old.png")
    for link, to in [
        ("in/m", "z"),
        ("in/z/up", ".."),
        ("in/here", "."),
        ("in/l", "../elsewhere"),
        ("in/q", "../elsewhere"),
        ("elsewhere/back", "../in"),
        ("in/results", "../out"),
    ]:
        Path(link).symlink_to(to)
    found = find(source, Path("out"), ".png")
    assert (sorted(item.source for item in found.items), found.failures) == (
        ["in/l/b.png", "in/l/deep/c.png", "in/z/a.png"],
        [],
    )
    assert {item.target for item in found.items} == {"out/l/b.png", "out/l/deep/c.png", "out/z/a.png"}


@pytest.mark.parametrize("source", ["in", "in/*.png", "in/**/*.png"])
def test_links_that_lead_nowhere_or_in_a_circle_are_failures(source: str) -> None:
    make("in/a.png")
    for link, to in [("in/dead.png", "absent"), ("in/one.png", "two.png"), ("in/two.png", "one.png")]:
        Path(link).symlink_to(to)
    Path("in/.hidden.png").symlink_to("absent")
    result = batch(source, "out")
    assert result.exit_code == 1
    assert lines(result) == [
        ["in/dead.png", "unreadable_file", "it is a link to nothing"],
        ["in/one.png", "unreadable_file", "it cannot be read: Too many levels of symbolic links"],
        ["in/two.png", "unreadable_file", "it cannot be read: Too many levels of symbolic links"],
    ]
    assert names("out") == ["a.png"]


@pytest.mark.parametrize(
    "pattern",
    [
        "*.png",
        "./*.png",
        "in/*",
        "in/*/*.png",
        "in/**",
        "in/**/*.png",
        "**/x/*",
        "in/[ab].png",
        "in/*/x/c.png",
        "in/.*",
        "i?/*.png",
        "in/[[]odd].png",
        "in//x/*",
        "in/x/../*.png",
    ],
)
def test_globs_mean_what_they_mean_in_python(pattern: str) -> None:
    make(
        "top.png", "in/a.png", "in/b.png", "in/x/c.png", "in/y/x/c.png", "in/y/.no/d.png", "in/.dot.png", "in/[odd].png"
    )
    expected = sorted({path for path in glob.glob(pattern, recursive=True) if Path(path).is_file()})
    assert [os.path.normpath(item.source) for item in find(pattern, Path("out"), ".npy").items] == [
        os.path.normpath(path) for path in expected
    ]


def test_files_that_cannot_be_read_are_failures() -> None:
    make("in/a.png")
    os.mkfifo("pipe.png")
    Path("list").write_text("in/a.png\nin\npipe.png\nab\u00e9sent\n", encoding="utf-8")
    result = batch("list", "out")
    assert result.exit_code == 1
    assert [row[:2] for row in lines(result)] == [
        ["ab\u00e9sent", "unreadable_file"],
        ["in", "unreadable_file"],
        ["pipe.png", "unreadable_file"],
    ]


def test_limits_and_deadline_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    make("in/a.png", content=png(1000))  # minutes for one processor, where 5x5 samples take half a second
    make("in/b.png")
    Path("slow.json").write_text(json.dumps({**SLOW, "iterations": 1000}), encoding="utf-8")
    monkeypatch.setenv("CONVSERVE_DEADLINE", "5")
    monkeypatch.setenv("CONVSERVE_MAX_MACS", "1e15")
    with one_processor():
        result = batch("in", "out", spec="slow.json")
    assert [row[:2] for row in lines(result)] == [["in/a.png", "deadline_exceeded"]]
    monkeypatch.delenv("CONVSERVE_DEADLINE")
    monkeypatch.setenv("CONVSERVE_MAX_IMAGE_PIXELS", "100")
    assert [row[:2] for row in lines(batch("in", "out2"))] == [["in/a.png", "image_too_large"]]
    monkeypatch.setenv("CONVSERVE_MAX_BODY_BYTES", "1000")
    result = batch("in", "out3")
    assert [row[:2] for row in lines(result)] == [["in/a.png", "body_too_large"]]
    assert "at most 1,000 (max_body_bytes)" in result.stdout


def test_folder_that_cannot_be_made_is_a_failure() -> None:
    make("in/sub/a.png", "in/b.png")
    make("out/sub", content=b"a file in the way")
    result = batch("in", "out")
    assert [row[:2] for row in lines(result)] == [["in/sub/a.png", "unwritable_file"]]
    assert names("out") == ["b.png", "sub"]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("in", ["in/a.gif and in/a.png would both become out/a.png", "x/b.jpg and in/x/b.png would"]),
        ("absent", ["there is no absent"]),
        ("in/*.tiff", ["no file matches in/*.tiff"]),
        ("in/a.png", ["in/a.png is an image"]),
        ("zero", ["zero is not a list of paths"]),
    ],
)
def test_what_is_unclear_is_refused_beforehand(source: str, parts: list[str]) -> None:
    make("in/a.gif", "in/a.png", "in/x/b.jpg", "in/x/b.png")
    make("zero", content=b"one\n\0\n")
    result = batch(source, "out")
    assert result.exit_code == 2
    told = "".join(sign for sign in result.stderr if sign not in "\u2502\n ")
    assert all(part.replace(" ", "") in told for part in parts)
    assert not Path("out").exists()


def test_results_are_never_written_over_sources(tmp_path: Path) -> None:
    make("in/a.jpg", "in/b.png")
    make("file", content=b"")
    with pytest.raises(BadSources, match="both source and destination"):
        find("in", tmp_path / "in", ".png")
    with pytest.raises(BadSources, match=r"would be .*b\.png, which is a source itself"):
        find("in/*", tmp_path / "in", ".png")
    with pytest.raises(BadSources, match="is not a folder"):
        find("in", tmp_path / "file", ".png")
    assert [Path(item.target).name for item in find("in/*.jpg", tmp_path / "in", ".png").items] == ["a.png"]


def test_names_of_any_bytes_can_be_printed() -> None:
    name = os.fsdecode(b"in/line\nbreak-\xff")
    make(name, content=png()[:60])
    result = batch("in", "out")
    assert result.exit_code == 1
    assert lines(result)[0][:2] == ["in/line\\nbreak-\\udcff", "invalid_image"]


def test_arrays_are_made_where_asked_for() -> None:
    make("in/a.png")
    assert batch("in", "out", "--format", "npy").exit_code == 0
    assert np.load("out/a.npy").shape == (5, 5, 3)
    Path("spec.json").write_text('{"steps": [{"op": "blur"}], "output": {}}', encoding="utf-8")
    result = batch("in", "out2", "--format", "npy")
    assert (result.exit_code, result.stderr[:13]) == (1, "invalid_spec:")
    assert batch("in", "out2", "--format", "gif").exit_code == 2


@pytest.mark.parametrize(
    ("form", "begin"), [("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF"), ("avif", b"\0\0\0"), ("tiff", b"II*\0")]
)
def test_results_are_of_the_form_asked_for(form: str, begin: bytes) -> None:
    make("in/a.png")
    assert batch("in", "out", "--format", form).exit_code == 0
    assert Path(f"out/a.{form}").read_bytes().startswith(begin)
    assert batch("in", "out", "--format", form, "--dry-run").exit_code == 0


def test_what_a_form_has_no_use_for_is_refused_once() -> None:
    make("in/a.png")
    make("in/b.png")
    Path("spec.json").write_text('{"steps": [{"op": "grayscale"}], "output": {"quality": 50}}', encoding="utf-8")
    assert batch("in", "out", "--format", "webp").exit_code == 0
    result = batch("in", "out", "--format", "png")
    assert (result.exit_code, result.stderr[:13]) == (1, "invalid_spec:")
    assert "/spec/output/quality" in result.stderr
    assert not list(Path("out").glob("*.png"))


def test_presets_are_taken() -> None:
    make("in/a.png")
    preset = CliRunner().invoke(cli.app, ["batch", "in", "out", "--preset", "edges"])
    assert preset.exit_code == 0, preset.output
    assert names("out") == ["a.png"]
    assert CliRunner().invoke(cli.app, ["batch", "in", "out", "--preset", "edgs"]).exit_code == 1
    assert CliRunner().invoke(cli.app, ["batch", "in", "out"]).exit_code == 2


def test_faulty_spec_is_told_once() -> None:
    make("in/a.png", "in/b.png")
    Path("spec.json").write_text('{"op": "blur", "sigma": -1}', encoding="utf-8")
    result = batch("in", "out")
    assert result.exit_code == 1
    assert result.stderr.count("invalid_spec:") == 1
    assert "/spec/sigma" in result.stderr
    assert result.stdout == ""


def test_empty_folder_is_done_at_once() -> None:
    Path("in").mkdir()
    result = batch("in", "out")
    assert (result.exit_code, result.stdout[:18]) == (0, "0 made, 0 already ")


def test_dry_run_tells_the_plan_of_the_whole_and_writes_nothing() -> None:
    make("in/a.png", "in/b.png", "in/done.png")
    make("in/large.png", content=png(20))
    make("in/no.png", content=b"no image")
    make("in/cut.png", content=png()[:20])
    make("out/done.png")
    result = batch("in", "out", "--dry-run")
    assert result.exit_code == 1
    told = {line[:17].strip(): line[18:] for line in result.stdout.splitlines()}
    assert (told["files to do"], told["already there"], told["refused"], told["not pictures"]) == ("3", "1", "1", "1")
    assert told["pixels"] == "450 in, 450 out"
    assert told["multiplications"] == f"{450 * 3 * 9 * 2:,}"  # sigma 1: two passes of 9 taps
    assert "2      5x5x3 uint8    5x5x3 uint8" in result.stdout
    assert "in/cut.png  invalid_image" in result.stdout
    assert names("out") == ["done.png"]


def test_results_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    files.save(str(tmp_path / "out/sub/a.png"), b"content")
    assert (tmp_path / "out/sub/a.png").read_bytes() == b"content"
    assert (tmp_path / "out/sub/a.png").stat().st_mode & 0o777 == 0o666 & ~umask()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(files.NoRoom, match="No space left"):
        files.save(str(tmp_path / "out/b.png"), b"content")
    assert names("out") == ["sub/a.png"]


def umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def test_full_disk_ends_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    make(*(f"in/{number}.png" for number in range(30)))
    monkeypatch.setattr(os, "fsync", fail)
    result = batch("in", "out")
    assert result.exit_code == 1
    assert "stopped: its result cannot be written: No space left on device" in result.stderr
    assert result.stdout.startswith("0 made")


class Counting:
    """A dispatcher of three workers that notes how many jobs it has at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def run(self, job: Job) -> jobs.Result:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return jobs.Result(b"result", "image/png")

    def refusal(self, size: int) -> None: ...

    def status(self) -> Status:
        return Status(True, "", 3, self.running, 0, 0, {})


def test_only_a_few_files_are_in_hand_however_many_there_are() -> None:
    make("a.png")
    dispatcher, tally, taken = Counting(), Tally(), 0
    ahead: list[int] = []

    def items() -> Iterator[Item]:
        nonlocal taken
        for number in range(300):
            taken += 1
            yield Item("a.png", f"out/{number}.png")

    def note() -> None:
        ahead.append(taken - tally.made)

    asyncio.run(Batch(items(), Order(b"{}", False, "png", Limits(), 1 << 20), dispatcher, tally, note).run())
    assert (tally.made, tally.failures) == (300, [])
    assert dispatcher.most <= 3
    assert max(ahead) <= 3 * LANES_PER_WORKER


def begin(*arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "service", "batch", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_was_interrupted_goes_on_where_it_was(number: signal.Signals, status: int) -> None:
    make("in/0.png", "in/1.png", content=png(120))
    make(*(f"in/{name}.png" for name in range(10, 20)), content=png(300))  # takes longer than to notice those
    Path("slow.json").write_text(json.dumps(SLOW), encoding="utf-8")
    with begin("in", "out", "--spec", "slow.json") as process:
        wait_until(lambda: len(list(Path().glob("out/*.png"))) >= 2, FIRST_START)
        workers = children(process.pid)
        process.send_signal(number)
        output, errors = process.communicate(timeout=FIRST_START)
    assert process.returncode == status, output + errors
    wait_until(lambda: all(gone(pid) for pid in workers))
    done = [path for path in Path("out").iterdir() if path.suffix == ".png"]
    assert 2 <= len(done) < 12
    for path in done:
        Image.open(path).load()
    if number != signal.SIGKILL:
        assert output.startswith(f"{len(done)} made, ")
        assert len(names("out")) == len(done)
    again = batch("in", "out", spec="slow.json")
    assert again.stdout.startswith(f"{12 - len(done)} made, {len(done)} already there, 0 failed")


def test_bar_is_drawn_on_a_terminal_only() -> None:
    make("in/a.png", "in/b.png")
    with begin("in", "out", "--spec", "spec.json") as process:
        output, errors = process.communicate(timeout=FIRST_START)
    assert (output[:6], errors) == ("2 made", "")
    terminal, end = pty.openpty()
    with begin("in", "out2", "--spec", "spec.json", stderr=end) as process:
        os.close(end)
        drawn = b"".join(pieces(terminal)).decode()
        process.communicate(timeout=FIRST_START)
    os.close(terminal)
    assert "2/2" in drawn
    assert "files/s" in drawn


def pieces(terminal: int) -> Iterator[bytes]:
    """Read what is written on a terminal until nobody is left who could write."""
    with suppress(OSError):  # EIO is how Linux tells the end
        while piece := os.read(terminal, 1 << 16):
            yield piece
