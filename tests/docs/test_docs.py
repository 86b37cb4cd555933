"""What the pages say is so: their code runs, what is made is current, links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from docs import make
from service.engine import filter_bytes, plan_filter
from service.engine.figures.document import figure_document
from service.engine.machine.limits import Limits
from service.routes.problem_table import KINDS
from tests.docs.blocks import PAGES, ROOT, Block, Command, blocks, commands
from tests.live import Live

PHOTOGRAPH = ROOT / "docs" / "pictures" / "cat.jpg"
ADDRESS = "localhost:8000"
RUN = {"curl", "convserve"}
NOT_RUN = {
    "docker": "builds and starts containers",
    "docker-compose": "starts containers",
    "podman": "builds and starts containers",
    "kubectl": "needs a cluster",
    "helm": "needs a cluster",
    "kind": "starts a cluster",
    "dask": "starts a scheduler or a worker",
    "uvicorn": "starts a server",
    "systemctl": "starts a service of the machine",
    "make": "builds, or starts a server; CI runs these targets themselves",
    "pip": "installs",
    "apt-get": "installs",
    "git": "changes the checkout",
    "export": "sets a variable for what follows",
    "echo": "writes settings for what follows",
    "openssl": "makes a key",
    "python": "installs, or starts a server",
    "python3": "installs, or starts a server",
    "kill": "ends a server",
    "hey": "keeps a server busy",
    "try-image": "builds and starts a container",
}
"""Programs whose commands are shown and not run, and why."""
STARTS = {"serve", "batch"}
"""Commands of convserve that run until they are ended, or want a folder of the reader's own."""
ELSEWHERE = ("torch", "cv2", "onnx", "onnxruntime")
"""Libraries with which a page compares; blocks that import one run where it is installed."""
MAGIC = {".png": b"\x89PNG", ".npy": b"\x93NUMPY", ".webp": b"RIFF", ".svg": b"<svg", ".json": b"{"}
FOREIGN = re.compile(
    r"<(?:script|link|img|iframe|source|video|audio|object)\b[^>]*?(?:src|href|data)=[\"']?(?:https?:)?//"
)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def place(item: Block | Command) -> str:
    return item.place


@pytest.mark.parametrize("block", blocks("json"), ids=place)
def test_json_runs(block: Block) -> None:
    document = json.loads(block.text)
    match document:
        case {"op": str()} | {"steps": list()}:
            assert filter_bytes(PHOTOGRAPH.read_bytes(), document).startswith(b"\x89PNG")
        case {"spec": dict(), "image": dict(), "values": list()}:
            assert figure_document(block.text.encode(), Limits()).startswith("<svg")
        case {"spec": dict(), "image": dict()}:
            assert plan_filter(document["spec"], **document["image"])
        case {"type": str(kind), "status": int(status), "code": str(code)}:
            assert (KINDS[code].status, kind.rpartition("/")[2]) == (status, code)
        case dict() if document and all(
            isinstance(spec, dict) and {"op", "steps"} & set(spec) for spec in document.values()
        ):
            for spec in document.values():
                assert filter_bytes(PHOTOGRAPH.read_bytes(), spec).startswith(b"\x89PNG")
        case _:
            assert isinstance(document, dict | list), "neither a spec nor a request: it must be JSON at least"


def clone(folder: Path) -> None:
    """Give a folder what a fresh clone has for its reader, once `make serve` has run."""
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which a reader works: with docs/ beside files of his own."""
    clone(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    (tmp_path / "spec.json").write_text('{"op": "gradient"}')
    np.save(tmp_path / "layer.npy", np.random.default_rng(7).random((8, 10, 5), dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", blocks("python"), ids=place)
def test_python_runs(block: Block, desk: Path, live: Live) -> None:
    for name in re.findall(r"^(?:import|from) (\w+)", block.text, re.MULTILINE):
        if name in ELSEWHERE and not find_spec(name):
            pytest.skip(f"compares with {name}, which is not installed")
    text = block.text.replace(f"http://{ADDRESS}", live.url)
    with warnings.catch_warnings():
        for name in ELSEWHERE:
            warnings.filterwarnings("default", module=rf"{name}(\..*)?")
        exec(compile(text, block.place, "exec"), {"__name__": "page", "array": np.eye(8, dtype=np.float32)})


def shell(line: str, folder: Path, live: Live) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a reader would, against the running service."""
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 60\n")
    line = line.replace(f"http://{ADDRESS}", live.url).replace(ADDRESS, live.url.removeprefix("http://"))
    port = str(urlsplit(live.url).port)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "CURL_HOME": str(folder), "CONVSERVE_PORT": port, "no_proxy": "*"}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, check=False, timeout=120
    )


@pytest.mark.parametrize("command", commands(), ids=place)
def test_commands_run(command: Command, desk: Path, live: Live) -> None:
    if command.program in NOT_RUN:
        pytest.skip(f"not run: {command.program} {NOT_RUN[command.program]}")
    assert command.program in RUN, f"say in NOT_RUN why {command.program} is not run, or run it"
    if command.program == "convserve" and STARTS & set(command.words):
        pytest.skip("runs until it is ended, or wants files of the reader's")
    if command.program == "curl" and ADDRESS not in command.line:
        pytest.skip("asks an address that is not there")
    done = shell(command.line, desk, live)
    if command.program == "curl" and command.refused:
        assert done.returncode == 22, done.stderr.decode()
        return
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    for option, name in zip(command.words, command.words[1:], strict=False):
        if option == "-o" and name != "/dev/null":
            assert (desk / name).read_bytes().startswith(MAGIC[Path(name).suffix])
    if done.stdout[:1] in {b"{", b"["}:
        json.loads(done.stdout)


def test_readme_runs_in_a_fresh_clone(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command after another, with no file but those of the clone and of the commands before."""
    clone(tmp_path)
    page = "README.md:"
    run = [command for command in commands() if command.place.startswith(page) and command.program in RUN]
    assert len(run) >= 8
    for command in run:
        done = shell(command.line, tmp_path, live)
        assert done.returncode == 0, f"{command.line}\n{(done.stdout + done.stderr).decode(errors='replace')}"
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        if block.place.startswith(page):
            exec(compile(block.text.replace(f"http://{ADDRESS}", live.url), block.place, "exec"), {"__name__": "page"})


def test_readme_opens_with_a_picture_a_sentence_and_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    title, picture, sentence, first, second, *_ = re.split(r"\n\n+", text)
    assert title.startswith("# ")
    assert re.fullmatch(r"!\[[^\]]+\]\(\S+\)", picture)
    assert sentence.count(". ") == 0
    assert [found for block in (first, second) for found in re.findall(r"```sh\n(\S+) .*\n```", block)] == [
        "make",
        "curl",
    ]


def test_every_command_in_a_table_of_the_readme_runs(live: Live, tmp_path: Path) -> None:
    clone(tmp_path)
    found = re.findall(r"^\|.*\| `(curl [^`]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 4
    for line in found:
        done = shell(line, tmp_path, live)
        assert done.returncode == 0, done.stderr.decode()


def test_made_texts_are_current() -> None:
    for path, text in make.texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)} is old: make docs"


def test_made_pictures_are_current() -> None:
    """To within what another build of the JPEG library may do."""
    made = make.pictures()
    for path, data in made.items():
        with Image.open(path) as kept, Image.open(BytesIO(data)) as now:
            assert (kept.size, kept.mode) == (now.size, now.mode), path.name
            difference = np.abs(np.asarray(kept, dtype=float) - np.asarray(now, dtype=float))
        assert difference.mean() < 1.5, f"{path.relative_to(ROOT)} is old: make docs"
    assert not list(make.strangers({*made, *make.texts()}))


def test_pictures_are_light() -> None:
    weights = {path: path.stat().st_size for folder in make.MADE for path in folder.iterdir() if path.suffix != ".png"}
    assert sum(size for path, size in weights.items() if path.parent != make.EXAMPLES) < 1_100_000
    assert all(size < 8_000 for path, size in weights.items() if path.parent == make.EXAMPLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        parts = urlsplit(target)
        if not parts.scheme and parts.path:
            assert (page.parent / unquote(parts.path)).exists(), target


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; mkdocs itself fails on a link or an anchor that leads nowhere."""
    pytest.importorskip("material", reason="the site is built by mkdocs-material: pip install -e '.[docs]'")
    folder: Path = tmp_path_factory.mktemp("site")
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # those of the builder are its own
        make.build(folder)
    return folder


def test_site_has_every_page(site: Path) -> None:
    pages = {page.name for page in site.glob("*.html")}
    assert pages == {f"{page.stem}.html" for page in PAGES[1:]} | {"404.html"}


def test_site_asks_no_other_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    for page in pages:
        assert not FOREIGN.search(page.read_text(encoding="utf-8")), page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_site_has_no_program_of_the_docs(site: Path) -> None:
    assert not [path for path in site.rglob("*") if path.suffix in {".py", ".pyc"}]


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"^  - [^:\n]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == [page.name for page in PAGES[1:]]
