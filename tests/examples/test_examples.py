"""Every example, started as its first lines say, against a running service."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from playwright.sync_api import expect, sync_playwright

from release.version import version
from service.engine import filter_bytes
from service.engine.codecs import decode, inspect
from service.engine.machine.limits import Limits
from tests.browser.conftest import FLAGS, find_chromium
from tests.live import ROOT, Live, free_port, serving
from tests.waiting import wait_until

EXAMPLES = ROOT / "examples"
PHOTOGRAPH = ROOT / "docs" / "pictures" / "cat.jpg"
EDGES = {"steps": [{"op": "grayscale"}, {"op": "gradient"}]}
REQUIRED = os.environ.get("CONVSERVE_TEST_EXAMPLES") == "required"
PATIENCE = 120


def find(tool: str) -> str:
    """Give the path of a tool; without it, skip or, where it is required, fail."""
    path = shutil.which(tool, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if path is None and REQUIRED:
        pytest.fail(f"CONVSERVE_TEST_EXAMPLES is required, and there is no {tool}")
    if path is None:
        pytest.skip(f"no {tool}: the examples that need it are passed over")
    return path


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run an example to its end, and give what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "no_proxy": "*", "NO_PROXY": "*"} | environment
    done = subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


def pixels(data: bytes) -> Any:
    return decode(data, inspect(data, Limits())).image


def edges() -> Any:
    """Give what the service is to make of the photograph."""
    return pixels(filter_bytes(PHOTOGRAPH.read_bytes(), EDGES))


def test_every_example_is_in_the_list_and_here() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    listed = re.findall(
        r"^\| \[([\w-]+)\]\((.+?)\) \|", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name for name, _ in listed} == folders
    assert all((EXAMPLES / path).is_file() for _, path in listed)
    tested = Path(__file__).read_text(encoding="utf-8")
    assert not [path for _, path in listed if f'"{path}"' not in tested.replace('" / "', "/")]


def test_curl(live: Live, tmp_path: Path) -> None:
    find("curl")
    printed = run(EXAMPLES / "curl/filter.sh", PHOTOGRAPH, cwd=tmp_path, CONVSERVE_URL=live.url)
    assert "erver-" in printed
    assert '"code":"invalid_spec"' in printed.replace(" ", "")
    assert (tmp_path / "sharp.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "soft.webp").read_bytes().startswith(b"RIFF")
    colour = filter_bytes(PHOTOGRAPH.read_bytes(), {"op": "gradient"})
    np.testing.assert_array_equal(pixels((tmp_path / "edges.png").read_bytes()), pixels(colour))


def test_python(live: Live, tmp_path: Path) -> None:
    script = EXAMPLES / "python/filter.py"
    printed = run(sys.executable, script, PHOTOGRAPH, "edges.png", cwd=tmp_path, CONVSERVE_URL=live.url)
    np.testing.assert_array_equal(pixels((tmp_path / "edges.png").read_bytes()), edges())
    assert "4 channels with 108 parameters" in printed
    assert "(8, 8, 4)" in printed
    assert "blur" in printed.splitlines()[-1]


def test_node(live: Live, tmp_path: Path) -> None:
    script = EXAMPLES / "node/filter.mjs"
    printed = run(find("node"), script, PHOTOGRAPH, "edges.png", cwd=tmp_path, CONVSERVE_URL=live.url)
    np.testing.assert_array_equal(pixels((tmp_path / "edges.png").read_bytes()), edges())
    assert "total;dur=" in printed
    assert "invalid_spec: " in printed


def test_go(live: Live, tmp_path: Path) -> None:
    go = find("go")
    known = {"GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off", "GOPATH": str(tmp_path / "go")}
    shutil.copy(EXAMPLES / "go/main.go", tmp_path)
    assert run(Path(go).resolve().with_name("gofmt"), "-l", "main.go", cwd=tmp_path) == ""
    run(go, "vet", "main.go", cwd=tmp_path, **known)
    command = ("run", "main.go", PHOTOGRAPH, "edges.png")
    printed = run(go, *command, cwd=tmp_path, CONVSERVE_URL=live.url, **known)
    np.testing.assert_array_equal(pixels((tmp_path / "edges.png").read_bytes()), edges())
    assert "invalid_spec: " in printed


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        pass


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """Serve a folder from an origin of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_browser_form_of_another_origin(tmp_path: Path) -> None:
    chromium = find_chromium()
    folder = shutil.copytree(EXAMPLES / "browser", tmp_path / "browser")
    with (
        pages(folder) as origin,
        serving(tmp_path, workers=1, allow_origins=origin) as server,
        sync_playwright() as playwright,
    ):
        text = (EXAMPLES / "browser/index.html").read_text(encoding="utf-8")
        assert text.count('action="http://localhost:8000/') == 1
        (folder / "index.html").write_text(text.replace("http://localhost:8000/", f"{server.url}/"), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(origin)
        page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
        page.get_by_role("button", name="Send").click()
        shown = page.get_by_alt_text("The result")
        expect(shown).to_be_visible()
        expect(page.locator("#timing")).to_contain_text("total;dur=")
        wide = shown.evaluate("image => image.decode().then(() => image.naturalWidth)")
        page.get_by_label("Picture").set_input_files(EXAMPLES / "README.md")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("alert")).to_contain_text("format")
        browser.close()
    assert wide == inspect(PHOTOGRAPH.read_bytes(), Limits()).width
    assert not faults


@pytest.fixture
def proxy(live: Live, tmp_path: Path) -> Iterator[str]:
    """Run nginx with the example's configuration: other ports, folders of its own, and tokens that do not come back."""
    nginx = find("nginx")
    port = free_port()
    text = (EXAMPLES / "nginx/nginx.conf").read_text(encoding="utf-8")
    for old, new in {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "server 127.0.0.1:8000;": f"server {live.url.removeprefix('http://')};",
        "rate=20r/s": "rate=1r/m",
        "pid /tmp/convserve-nginx.pid;": f"pid {tmp_path}/pid; daemon off; master_process off;",
        "access_log off;": "access_log off; "
        + " ".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    run(nginx, "-t", "-q", "-c", configuration, cwd=tmp_path)
    with (tmp_path / "nginx.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen([nginx, "-c", str(configuration)], cwd=tmp_path, stderr=log, stdout=log)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/livez"), PATIENCE)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_nginx_passes_requests_on_and_keeps_metrics_to_itself(proxy: str) -> None:
    with httpx.Client(base_url=proxy, trust_env=False, timeout=PATIENCE) as client:
        answer = client.post("/v1/filter", files={"image": PHOTOGRAPH.read_bytes()}, data={"spec": json.dumps(EDGES)})
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(pixels(answer.content), edges())
        assert "total;dur=" in answer.headers["Server-Timing"]
        refusal = client.post("/v1/filter", files={"image": PHOTOGRAPH.read_bytes()}, data={"spec": "{"})
        assert (refusal.status_code, refusal.json()["code"]) == (400, "malformed_json")
        assert client.get("/metrics").status_code == 403
        assert client.post("/v1/filters/sobel", content=bytes(33 << 20)).status_code == 413


def test_nginx_holds_an_address_to_its_share(proxy: str) -> None:
    with httpx.Client(base_url=proxy, trust_env=False, timeout=PATIENCE) as client:
        statuses = [client.get("/livez").status_code for _ in range(60)]
    assert statuses == sorted(statuses)
    assert {200, 429} == set(statuses)


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_notebook(
    live: Live, library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run its cells one after another, with PyTorch where that is installed, and as if it were not."""
    if library == "torch":
        pytest.importorskip("torch", reason="torch is not installed: the notebook's layer is NumPy's alone")
    else:
        monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("CONVSERVE_URL", live.url)
    notebook = json.loads((EXAMPLES / "notebook/layer.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not [cell for cell in notebook["cells"] if cell.get("outputs")], "what it printed is not kept"
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        exec(compile(cell, f"layer.ipynb, cell {number}", "exec"), names)
    assert names["result"].shape == (17, 24, 16)
    assert "largest difference" in capsys.readouterr().out


def test_github_action_filters_a_folder(tmp_path: Path) -> None:
    """Its shell, with this checkout in the place of what it would install."""
    action = yaml.safe_load((EXAMPLES / "github-action/action.yml").read_text(encoding="utf-8"))
    assert action["inputs"]["version"]["default"] == version()
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("one", "two"):
        shutil.copy(PHOTOGRAPH, photos / f"{name}.jpg")
    (photos / "notes.txt").write_text("not a picture", encoding="utf-8")
    given = {"source": "photos", "target": "edges", "preset": "sobel", "spec": "", "version": version()}
    install, work = action["runs"]["steps"]
    assert install["run"].endswith('install --quiet "convserve==$VERSION"')
    binaries = tmp_path / "convserve" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "convserve").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m service "$@"\n', encoding="utf-8")
    (binaries / "convserve").chmod(0o755)
    environment = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: given[m[1]], text) for name, text in work["env"].items()
    }
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", work["run"])
    run(*shell, cwd=tmp_path, RUNNER_TEMP=str(tmp_path), **environment)
    results = sorted((tmp_path / "edges").iterdir())
    assert [path.name for path in results] == ["one.png", "two.png"]
    np.testing.assert_array_equal(pixels(results[0].read_bytes()), edges())
