"""The command line, run in this process; `serve` has tests of its own."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from service import cli
from service.engine.spec.built_in_presets import PRESETS
from service.settings import Settings
from tests.live import ROOT, Live

BLUR = {"op": "blur", "sigma": 1}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of the machine out, and stay where no .env is."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CONVSERVE_{name.upper()}", raising=False)
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.chdir(tmp_path)


def convserve(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=stdin)


def npy(array: np.ndarray) -> bytes:
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(BLUR), encoding="utf-8")
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.npy"
    path.write_bytes(npy(np.arange(48, dtype=np.uint8).reshape(6, 8)))
    return path


def test_version_is_printed() -> None:
    assert convserve("version").stdout == "convserve 1.0.0\n"


def test_module_and_script_are_the_same() -> None:
    command = [sys.executable, "-m", "service", "version"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.startswith("convserve ")


def test_run_makes_a_png(image: Path, spec: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    result = convserve("run", image, target, "--spec", spec)
    assert result.exit_code == 0, result.stderr
    assert target.read_bytes().startswith(b"\x89PNG")


def test_run_makes_an_array_where_the_name_says_so(image: Path, spec: Path, tmp_path: Path) -> None:
    assert convserve("run", image, tmp_path / "out.npy", "--spec", spec).exit_code == 0
    assert np.load(tmp_path / "out.npy").shape == (6, 8, 1)


def test_run_goes_from_standard_input_to_standard_output(image: Path) -> None:
    result = convserve("run", "-", "-", "--preset", "edges", stdin=image.read_bytes())
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("out.PNG", b"\x89PNG"),
        ("out", b"\x89PNG"),
        ("out.jpg", b"\xff\xd8\xff"),
        ("out.JPEG", b"\xff\xd8\xff"),
        ("out.webp", b"RIFF"),
        ("out.avif", b"\0\0\0\x1cftypavif"),
        ("out.tif", b"II*\0"),
        ("out.tiff", b"II*\0"),
        ("out.Json", b'{"image"'),
    ],
)
def test_run_writes_what_the_suffix_names(image: Path, spec: Path, tmp_path: Path, name: str, begin: bytes) -> None:
    assert convserve("run", image, tmp_path / name, "--spec", spec).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(begin)


def test_run_refuses_a_suffix_that_it_does_not_know(image: Path, spec: Path, tmp_path: Path) -> None:
    result = convserve("run", image, tmp_path / "out.gif", "--spec", spec)
    assert result.exit_code == 2
    assert "".join(result.stderr.split()).count('".gif"') == 1
    known = ".png, .jpg, .jpeg, .webp, .avif, .tif, .tiff, .npy, .json"
    assert known in " ".join(result.stderr.replace("\u2502", "").split())
    assert not (tmp_path / "out.gif").exists()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("absent/out.png", "absent/out.png: No such file or directory"),
        ("image.npy/out.png", "image.npy/out.png: Not a directory"),
        ("folder.png", "folder.png: Is a directory"),
        ("/dev/full", "/dev/full: No space left on device"),
        ("loop.png", "loop.png: Too many levels of symbolic links"),
    ],
)
@pytest.mark.usefixtures("image")
def test_error_of_the_system_is_one_line(target: str, told: str) -> None:
    Path("folder.png").mkdir()
    Path("loop.png").symlink_to("loop.png")
    result = convserve("run", "image.npy", target, "--preset", "edges")
    assert (result.exit_code, result.stderr) == (1, f"{told}\n")
    assert sorted(path.name for path in Path().iterdir()) == ["folder.png", "image.npy", "loop.png"]


def test_file_that_cannot_be_written_whole_is_taken_away(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    result = convserve("run", image, "out.png", "--preset", "edges")
    assert (result.exit_code, result.stderr) == (1, "out.png: No space left on device\n")
    assert not (tmp_path / "out.png").exists()


COMMANDS = {
    "run": "run image.npy - --preset edges",
    "json": "run image.npy /dev/stdout --preset edges",
    "plan": "plan --spec spec.json --width 9 --height 9",
    "settings": "settings",
    "version": "version",
    "batch": "batch folder results --spec spec.json",
    "dry run": "batch folder results --spec spec.json --dry-run",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(("out", "told"), [("full", "No space left on device"), ("pipe", "Broken pipe")])
@pytest.mark.usefixtures("image", "spec")
def test_output_that_cannot_be_written_is_told_in_one_line(command: str, out: str, told: str) -> None:
    Path("folder").mkdir()
    if out == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reading, descriptor = os.pipe()
        os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "service", *command.split()],
            stdout=descriptor,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            check=False,
        )
    finally:
        os.close(descriptor)
    assert done.returncode == 1
    assert done.stderr.splitlines() in ([f"standard output: {told}"], [f"/dev/stdout: {told}"])


@pytest.mark.parametrize(("closed", "name"), [("<&-", "input"), (">&-", "output")])
@pytest.mark.usefixtures("image", "spec")
def test_closed_stream_is_told_in_one_line(closed: str, name: str) -> None:
    command = (
        f"{sys.executable} -m service run {'- out.png' if name == 'input' else 'image.npy -'} --spec spec.json {closed}"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"standard {name}: Bad file descriptor\n")


def test_refusal_prints_code_detail_and_pointers(image: Path, tmp_path: Path) -> None:
    spec = tmp_path / "bad.json"
    spec.write_text('{"steps": [{"op": "conv", "kernel": "sobel_x", "stride": 0}]}', encoding="utf-8")
    result = convserve("run", image, tmp_path / "out.png", "--spec", spec)
    assert result.exit_code == 1
    assert result.stderr.startswith("invalid_spec: ")
    assert "/spec/steps/0/stride: " in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_refusal_of_an_image(tmp_path: Path, spec: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"no image at all")
    result = convserve("run", tmp_path / "image.png", "-", "--spec", spec)
    assert result.exit_code == 1
    assert result.stderr.startswith("unsupported_format: ")


def test_unknown_preset_is_refused_with_the_nearest(image: Path) -> None:
    result = convserve("run", image, "-", "--preset", "edgs")
    assert result.exit_code == 1
    assert "did you mean 'edges'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "image.npy", "-"],
        ["run", "image.npy", "-", "--spec", "spec.json", "--preset", "edges"],
        ["run", "absent.png", "-", "--preset", "edges"],
        ["run", "image.npy", "out.gif", "--preset", "edges"],
        ["run", "image.npy", "out.png.old", "--preset", "edges"],
        ["run", "image.npy", "-", "--spec", "absent.json"],
        ["plan", "--spec", "spec.json"],
        ["plan", "--spec", "spec.json", "--width", "3"],
        ["plan", "--spec", "spec.json", "--width", "3", "--height", "3", "--image", "image.npy"],
        ["plan", "--width", "3", "--height", "3"],
        ["serve", "--port", "many"],
        ["wash"],
    ],
)
@pytest.mark.usefixtures("image", "spec")
def test_wrong_usage_is_told_from_a_refusal(arguments: list[str]) -> None:
    result = convserve(*arguments)
    assert result.exit_code == 2
    assert result.stderr


def test_plan_of_a_shape_is_that_of_an_image(image: Path, spec: Path) -> None:
    of_image = convserve("plan", "--spec", spec, "--image", image)
    of_shape = convserve("plan", "--spec", spec, "--width", "8", "--height", "6", "--channels", "1")
    assert of_image.exit_code == 0, of_image.stderr
    assert json.loads(of_shape.stdout)["output"] == json.loads(of_image.stdout)["output"]
    assert json.loads(of_shape.stdout)["image"] == {"width": 8, "height": 6, "channels": 1, "dtype": "uint8"}


def test_plan_takes_shapes_for_numbers(tmp_path: Path) -> None:
    spec = tmp_path / "shapes.json"
    spec.write_text('{"op": "conv", "kernel": {"shape": [3, 5]}, "padding": "same"}', encoding="utf-8")
    result = convserve("plan", "--spec", spec, "--width", "9", "--height", "7", "--dtype", "float32")
    assert json.loads(result.stdout)["parameters"] == 15


def test_settings_tell_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSERVE_QUEUE", "3")
    monkeypatch.setenv("CONVSERVE_API_KEYS", "hush")
    lines = {line.split()[0]: line.split()[1:] for line in convserve("settings").stdout.splitlines()}
    assert lines["CONVSERVE_QUEUE"] == ["3", "env"]
    assert lines["CONVSERVE_PORT"] == ["8000", "default"]
    assert "hush" not in str(lines)


@pytest.mark.parametrize("command", ["settings", "serve", "health"])
def test_bad_settings_are_all_named(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("CONVSERVE_QUEUE", "many")
    monkeypatch.setenv("CONVSERVE_DEADLINE", "-1")
    result = convserve(command)
    assert result.exit_code == 2
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["CONVSERVE_DEADLINE", "CONVSERVE_QUEUE"]


def test_health_of_a_server(live: Live) -> None:
    for url in (live.url, f"{live.url}/", f"{live.url}/readyz", f"{live.url}/livez"):
        assert convserve("health", "--url", url).exit_code == 0


def test_health_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    result = convserve("health")
    assert result.exit_code == 1
    assert "no answer" in result.stderr


def test_health_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(url: str, **_: object) -> httpx.Response:
        return httpx.Response(503, json={"detail": "starting"}, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", answer)
    result = convserve("health")
    assert (result.exit_code, result.stderr) == (1, "503 starting\n")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000/readyz"),
        ("::", "http://[::1]:8000/readyz"),
        ("images.example.org", "http://images.example.org:8000/readyz"),
    ],
)
def test_health_asks_where_the_service_listens(monkeypatch: pytest.MonkeyPatch, host: str, address: str) -> None:
    monkeypatch.setenv("CONVSERVE_HOST", host)
    assert cli.health_address(None) == address


@pytest.mark.parametrize("preset", PRESETS)
def test_run_gives_the_same_bytes_as_the_service(live: Live, preset: str, tmp_path: Path) -> None:
    photograph = ROOT / "docs" / "pictures" / "cat.jpg"
    assert convserve("run", photograph, tmp_path / "out.png", "--preset", preset).exit_code == 0
    answer = httpx.post(f"{live.url}/v1/filters/{preset}", files={"image": photograph.read_bytes()}, trust_env=False)
    assert (tmp_path / "out.png").read_bytes() == answer.raise_for_status().content
