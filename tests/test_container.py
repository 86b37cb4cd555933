"""The Dockerfile, walked as far as a plain shell can: the same commands in another root, the same entrypoint."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.engine.machine import levels
from service.routes.sample import SAMPLE_PNG
from tests.live import free_port, wait_until_ready

ROOT = Path(__file__).parent.parent
VENV = "/opt/convserve"
EVERY_LEVEL = os.environ.get("CONVSERVE_TEST_IMAGE") == "every level"
"""Compiling for all of them takes minutes, unless `make levels` has done it before."""
SECONDS_TO_START = 15
"""On half a core."""


def instructions() -> list[tuple[str, str]]:
    """Read the Dockerfile as (instruction, arguments), continued lines joined and comments left out."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, arguments) for name, arguments in (line.split(maxsplit=1) for line in lines)]


def values(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Carry out the COPY and RUN instructions of the first stage in a folder, and take write permission away."""
    root = Path(tempfile.mkdtemp(prefix="convserve-image-"))
    root.chmod(0o755)
    source, venv = root / "src", root / "venv"
    ours = ("PYTHON", "CONVSERVE_", "NUMBA_")  # which a build does not have
    outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    source.mkdir()
    for name, arguments in instructions():
        if name == "FROM" and "AS build" not in arguments:
            break
        if name == "COPY":
            *origins, target = shlex.split(arguments)
            for origin in origins:
                destination = source / target / (origin if (ROOT / origin).is_file() else "")
                if (ROOT / origin).is_dir():
                    shutil.copytree(ROOT / origin, destination, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / origin, destination)
        if name == "RUN":
            command = arguments.replace(VENV, str(venv))
            if " warm" in command:
                bring_what_is_compiled(venv)
                command = command if EVERY_LEVEL else command.replace(" --every-level", "")
            subprocess.run(
                ["sh", "-ec", command], cwd=source, env=outside, check=True, capture_output=True, timeout=1500
            )
    shutil.rmtree(source)
    subprocess.run(["chmod", "-R", "a-w,a+rX", str(root)], check=True)
    yield venv
    subprocess.run(["chmod", "-R", "u+w", str(root)], check=True)
    shutil.rmtree(root)


def bring_what_is_compiled(venv: Path) -> None:
    """Take over the loops that this checkout has compiled: they are known by their sources."""
    (installed,) = venv.glob("lib/python*/site-packages/service/engine/loops")
    kept = ROOT / "service" / "engine" / "loops" / "__pycache__"
    shutil.copytree(kept, installed / "__pycache__", dirs_exist_ok=True)


def environment(venv: Path, port: int) -> dict[str, str]:
    """Give the ENV of the image, with what a container engine would add."""
    pairs = dict(pair.split("=", 1) for line in values("ENV") for pair in shlex.split(line))
    pairs["PATH"] = pairs["PATH"].replace(VENV, str(venv)).replace("$PATH", os.environ["PATH"])
    return {**pairs, "HOME": "/nonexistent", "CONVSERVE_PORT": str(port)}


def without_privileges() -> list[str]:
    """Give the command that makes root subject to permissions, as any user is.

    The USER of the image itself may be unable to run this machine's python3, where that lies in root's own folder.
    """
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("level", levels.available() if EVERY_LEVEL else levels.available()[-1:])
def test_entrypoint_serves_at_every_level_from_a_read_only_tree_with_another_home(image: Path, level: str) -> None:
    port = free_port()
    settings = environment(image, port) | {"CONVSERVE_CPU": level}
    entrypoint = json.loads(values("ENTRYPOINT")[0]) + json.loads(values("CMD")[0])
    healthcheck = json.loads(values("HEALTHCHECK")[0].partition("CMD ")[2])
    entrypoint[0] = healthcheck[0] = str(image / "bin" / "convserve")
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*without_privileges(), "touch", str(image / "new")], check=True, capture_output=True)
    process = subprocess.Popen([*without_privileges(), *entrypoint], env=settings, cwd="/tmp", stderr=subprocess.PIPE)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            assert client.get("/readyz").json()["engine"] == {"level": level, "compiled": 1}
            run_every_example(client)
        subprocess.run(healthcheck, env=settings, check=True, timeout=20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def run_every_example(client: httpx.Client) -> None:
    """See to it that nothing is missing of what the Dockerfile takes out of the packages."""
    for operation in client.get("/v1/operations").json():
        for spec in operation["examples"]:
            answer = client.post("/v1/filter", files={"image": SAMPLE_PNG}, data={"spec": json.dumps(spec)})
            assert answer.status_code == 200, (spec, answer.text)


def test_image_runs_as_a_numeric_user_other_than_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", values("USER")[0])


def test_base_is_a_build_argument() -> None:
    assert values("ARG")[0].startswith("BASE=")
    assert all("${BASE}" in base for base in values("FROM"))


def test_health_check_waits_for_a_start_on_half_a_core() -> None:
    options = dict(re.findall(r"--([a-z-]+)=(\d+)s", values("HEALTHCHECK")[0]))
    assert int(options["start-period"]) >= 2 * SECONDS_TO_START


def test_loops_are_compiled_for_every_level_and_none_is_chosen_by_the_builder() -> None:
    assert values("RUN")[-1].endswith("convserve warm --every-level")
    assert {argument.partition("=")[0] for argument in values("ARG")} == {"BASE", "LOCK", "VERSION", "REVISION"}


def test_what_builds_the_package_is_locked_too() -> None:
    installs = [command for command in values("RUN") if "pip install" in command]
    assert all("--require-hashes" in command or "--no-deps --no-build-isolation" in command for command in installs)
