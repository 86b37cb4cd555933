"""The workflows: linted, and the release's shell carried out step by step, up to where it would leave this machine."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from release.notes import notes
from release.version import version
from tests.release.conftest import ROOT

REQUIRED = os.environ.get("CONVSERVE_TEST_RELEASE") == "required"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
TOOLS = ROOT / ".venv" / "tools" / "bin"
KNOWN: Final = {
    "vars.REGISTRY": "images.example",
    "github.repository": "Owner/convserve",
    "secrets.GITHUB_TOKEN": "token",
    "steps.image.outputs.name": "",
    "steps.image.outputs.digest": "",
}
"""What stands in the workflow's expressions where it runs."""
ELSEWHERE: Final = {"It runs as it will run elsewhere": "needs a container engine; the image job of ci.yml runs it too"}
"""Steps that are not walked, and why."""
DIGESTS: Final = {"amd64": "sha256:" + "a" * 64, "arm64": "sha256:" + "b" * 64}
STUBS: Final = {
    "docker": """
        import json, sys
        arguments = sys.argv[1:]
        note("docker", arguments)
        if arguments[:2] == ["login", "images.example"]:
            assert sys.stdin.read() == "token"
        elif arguments[:2] == ["buildx", "build"]:
            platform = arguments[arguments.index("--platform") + 1].removeprefix("linux/")
            digest = {"containerd.image.digest": DIGESTS[platform]}
            open(arguments[arguments.index("--metadata-file") + 1], "w").write(json.dumps(digest))
        elif arguments[:3] == ["buildx", "imagetools", "inspect"]:
            what = {"{{ json .SBOM }}": {"linux/amd64": {}, "linux/arm64": {}}, "{{ json .Manifest }}": {"digest": "d"}}
            print(json.dumps(what[arguments[-1]]))
        """,
    "gh": """
        import os, sys
        note("gh", sys.argv[1:])
        assert os.environ["GH_TOKEN"] == "token"
        missing = [name for name in sys.argv[3:] if name.startswith("dist/") and not os.path.isfile(name)]
        sys.exit(f"not there: {missing}" if missing else 0)
        """,
    "helm": """
        import os, pathlib, sys
        note("helm", sys.argv[1:])
        if sys.argv[1] == "package" and HELM:
            os.execv(HELM, [HELM, *sys.argv[1:]])
        if sys.argv[1] == "package":
            folder = pathlib.Path(sys.argv[sys.argv.index("--destination") + 1])
            folder.mkdir(parents=True)
            (folder / f"convserve-{VERSION}.tgz").write_bytes(b"")
        assert sys.argv[1] != "push" or os.path.isfile(sys.argv[2])
        """,
    "python3": """
        import os, pathlib, sys
        if sys.argv[1:3] != ["-m", "venv"]:
            os.execv(PYTHON, [PYTHON, *sys.argv[1:]])
        binaries = pathlib.Path(sys.argv[3]).absolute() / "bin"
        binaries.mkdir(parents=True)
        for name in ("pip", "convserve"):
            (binaries / name).symlink_to(pathlib.Path(__file__).with_name(f"installed-{name}"))
        """,
    "installed-pip": """
        import os, pathlib, sys
        note("pip", sys.argv[1:])
        if "--requirement" not in sys.argv:
            target = str(pathlib.Path(sys.argv[0]).parents[1] / "packages")
            os.execv(PYTHON, [PYTHON, "-m", "pip", *sys.argv[1:], "--no-index", "--target", target])
        """,
    "installed-convserve": """
        import os, pathlib, subprocess, sys
        packages = str(pathlib.Path(sys.argv[0]).absolute().parents[1] / "packages")
        environment = os.environ | {"PYTHONPATH": packages, "CONVSERVE_COMPILE": "off"}
        os.chdir("docs")  # where there is no folder named service
        where = subprocess.run([PYTHON, "-c", "import service; print(service.__file__)"], env=environment, stdout=-1)
        assert where.stdout.decode().startswith(packages), where.stdout
        arguments = [name.replace("docs/", "").replace("build/", "../build/") for name in sys.argv[1:]]
        os.execve(PYTHON, [PYTHON, "-m", "service", *arguments], environment)
        """,
}
"""Programs that write down how they were called; what needs no other machine they do."""


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = RELEASE["jobs"][job]["steps"]
    return found


def filled(text: str, **more: str) -> str:
    """Put values in the place of expressions."""
    values = KNOWN | {name.replace("_", ".", 1): value for name, value in more.items()}
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)


class Runner:
    """Carries out the `run` steps of jobs, as the workflow's own runner does: bash, from the top of a checkout."""

    def __init__(self, clone: Path, folder: Path) -> None:
        self.clone, self.folder = clone, folder
        self.log, self.output = folder / "calls", folder / "output"
        self.log.touch()
        helm = shutil.which("helm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        note = f"def note(*what): open({str(self.log)!r}, 'a').write(__import__('json').dumps(what) + chr(10))"
        known = f"PYTHON, HELM, VERSION, DIGESTS = {sys.executable!r}, {helm!r}, {version()!r}, {DIGESTS!r}"
        for name, text in STUBS.items():
            lines = "\n".join(line.removeprefix(" " * 8) for line in text.splitlines())
            self.put(folder / "bin" / name, f"#!{sys.executable}\n{note}\n{known}\n{lines}")
        venv = clone / ".venv"
        self.put(venv / "bin" / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for stamp in ("run", "dev"):  # of the far future: make leaves the environment as it is
            (venv / stamp).touch()
            os.utime(venv / stamp, (4_000_000_000, 4_000_000_000))
        self.put(
            clone / "build" / "audit" / "bin" / "pip-audit", (folder / "bin" / "gh").read_text().split("import os")[0]
        )
        audit = clone / "build" / "audit" / "bin" / "pip-audit"
        audit.write_text(audit.read_text() + 'import sys\nnote("pip-audit", sys.argv[1:])\n')

    @staticmethod
    def put(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, job: str, **matrix: str) -> None:
        values = {f"matrix_{name}": value for name, value in matrix.items()}
        for step in steps(job):
            if "run" not in step or step.get("name") in ELSEWHERE:
                continue
            given = {**RELEASE["env"], **RELEASE["jobs"][job].get("env", {}), **step.get("env", {})}
            environment = {name: value for name, value in os.environ.items() if not name.startswith("CONVSERVE_")} | {
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "GITHUB_REF_NAME": f"v{version()}",
                "GITHUB_SHA": "0" * 40,
                "GITHUB_ACTOR": "somebody",
                "GITHUB_OUTPUT": str(self.output),
                "PYTHONPATH": "",
                **{name: filled(value, **values) for name, value in given.items()},
            }
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.clone,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            assert done.returncode == 0, f"{job}: {step['run']}\n{done.stdout}\n{done.stderr}"

    def calls(self, program: str) -> list[list[str]]:
        noted = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [arguments for name, arguments in noted if name == program]


@pytest.fixture(scope="module")
def walked(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Release this checkout, as far as that goes here."""
    runner = Runner(clone, tmp_path_factory.mktemp("runner"))
    runner.run("files")
    for entry in RELEASE["jobs"]["image"]["strategy"]["matrix"]["include"]:
        runner.run("image", **entry)
    runner.run("publish")
    return runner


def test_workflows_are_sound() -> None:
    tool = shutil.which("actionlint", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        missing = "no actionlint: python3 -m venv .venv/tools, with tests/release/requirements.txt"
        if REQUIRED:
            pytest.fail(missing)
        pytest.skip(missing)
    done = subprocess.run([tool, *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_of_a_release(walked: Runner) -> None:
    dist = walked.clone / "dist"
    packages = {path.name for path in (dist / "packages").iterdir()}
    assert packages == {f"convserve-{version()}-py3-none-any.whl", f"convserve-{version()}.tar.gz"}
    assert [path.name for path in (dist / "chart").iterdir()] == [f"convserve-{version()}.tgz"]
    assert (dist / "notes.md").read_text(encoding="utf-8") == notes(version())
    assert json.loads((dist / "openapi.json").read_text(encoding="utf-8"))["info"]["version"]
    assert (dist / "site" / "index.html").is_file()
    assert zipfile.ZipFile(dist / "packages" / f"convserve-{version()}-py3-none-any.whl").testzip() is None
    assert (walked.clone / "build" / "edges.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_installed_is_audited(walked: Runner) -> None:
    (arguments,) = walked.calls("pip-audit")
    assert "--strict" in arguments  # else what cannot be asked after passes
    assert arguments[arguments.index("--requirement") + 1] == "requirements-extras.lock"


def test_images_of_both_architectures_have_sbom_and_provenance(walked: Runner) -> None:
    builds = [arguments for arguments in walked.calls("docker") if arguments[:2] == ["buildx", "build"]]
    assert [arguments[arguments.index("--platform") + 1] for arguments in builds] == ["linux/amd64", "linux/arm64"]
    for arguments in builds:
        pairs = list(itertools.pairwise(arguments))
        assert {("--sbom", "true"), ("--provenance", "mode=max"), ("--build-arg", f"VERSION={version()}")} <= set(pairs)
        output = dict(pair.split("=") for pair in arguments[arguments.index("--output") + 1].split(","))
        assert output["name"] == "images.example/owner/convserve"
        assert output["push-by-digest"] == output["push"] == "true"


def test_one_image_has_both_digests_and_the_tags(walked: Runner) -> None:
    (create,) = [arguments for arguments in walked.calls("docker") if "create" in arguments]
    name = "images.example/owner/convserve"
    tags = {tag for option, tag in itertools.pairwise(create) if option == "--tag"}
    major, minor, patch = version().split(".")
    assert tags == {f"{name}:{tag}" for tag in (f"{major}.{minor}.{patch}", f"{major}.{minor}", major, "latest")}
    assert create[-2:] == [f"{name}@{DIGESTS['amd64']}", f"{name}@{DIGESTS['arm64']}"]
    assert walked.output.read_text(encoding="utf-8").split() == [f"name={name}", "digest=d"]


def test_release_has_the_notes_and_every_file(walked: Runner) -> None:
    ((release, create, tag, *rest),) = walked.calls("gh")
    assert (release, create, tag) == ("release", "create", f"v{version()}")
    assert rest[rest.index("--notes-file") + 1] == "dist/notes.md"
    names = {Path(name).name for name in rest if name.startswith("dist/")}
    packages = {
        f"convserve-{version()}-py3-none-any.whl",
        f"convserve-{version()}.tar.gz",
        f"convserve-{version()}.tgz",
    }
    assert names == packages | {"notes.md", "site.tar.gz", "openapi.json", "contract.json", "licences.md", "sbom.json"}


def test_chart_goes_to_the_registry(walked: Runner) -> None:
    assert walked.calls("helm")[-1] == [
        "push",
        f"dist/chart/convserve-{version()}.tgz",
        "oci://images.example/owner/charts",
    ]


def test_nothing_is_published_but_by_the_push_of_a_tag() -> None:
    """What leaves the runner asks for one, by its step or by its job: a start by hand may be on a tag, too."""
    begins = {str(key): value for key, value in RELEASE.items()}["True"]  # as YAML reads "on"
    assert begins == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}, "workflow_dispatch": None}
    leaving = (
        "docker login",
        "docker buildx",
        "helm push",
        "gh release",
        "gh-action-pypi-publish",
        "deploy-pages",
        "attest-",
    )
    for name, job in RELEASE["jobs"].items():
        for step in job.get("steps", []):
            if any(word in step.get("run", "") + step.get("uses", "") for word in leaving):
                assert "github.event_name == 'push'" in (job.get("if"), step.get("if")), (name, step)


def test_a_release_waits_for_the_tests() -> None:
    jobs = RELEASE["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert set(jobs["image"]["needs"]) == {"test", "files"}
    assert jobs["publish"]["needs"] == ["image"]
    assert jobs["site"]["needs"] == ["publish"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_no_job_may_do_more_than_it_says(workflow: Path) -> None:
    """Rights are given by job, no step puts what strangers write into a shell, and no job runs without end."""
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert document["permissions"] == {"contents": "read"}
    for job in document["jobs"].values():
        assert "timeout-minutes" in job or "uses" in job
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", ""), step
