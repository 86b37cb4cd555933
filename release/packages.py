"""Wheel and sdist, the same bytes wherever and whenever they are built from one commit with the locked setuptools.

They are made of what git has of the commit, never of the working tree; times are the commit's, and owners and the
builder's umask are left out. The wheel is built from the sdist, which thereby is known to be whole.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from release import ROOT

HOOK = """
import os, sys
os.umask(0o022)
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def build(target: Path, root: Path = ROOT, revision: str = "HEAD") -> list[Path]:
    """Build both into a folder; gives their paths, the sdist first."""
    target.mkdir(parents=True, exist_ok=True)
    epoch = int(git(root, "log", "-1", "--format=%ct", revision))
    with tempfile.TemporaryDirectory() as folder:
        tree, made, unpacked = (Path(folder, name) for name in ("tree", "made", "unpacked"))
        unpack(git(root, "archive", "--format=tar", revision), tree)
        draft = hook("build_sdist", tree, made, epoch)
        sdist = target / draft.name
        sdist.write_bytes(normalised(draft.read_bytes(), epoch))
        unpack(gzip.decompress(sdist.read_bytes()), unpacked)
        (source,) = unpacked.iterdir()
        wheel = hook("build_wheel", source, made, epoch)
        return [sdist, Path(shutil.move(wheel, target / wheel.name))]


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True).stdout


def unpack(archive: bytes, target: Path) -> None:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")


def hook(name: str, source: Path, target: Path, epoch: int) -> Path:
    """Call a hook of setuptools (PEP 517), which says last what it has made."""
    target.mkdir(exist_ok=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONPATH": "", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", HOOK, name, str(target)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return target / done.stdout.splitlines()[-1]


def normalised(sdist: bytes, epoch: int) -> bytes:
    """Write a tar.gz anew: members by name, with one time, no owner, and one of two modes."""
    packed = BytesIO()
    with (
        tarfile.open(fileobj=BytesIO(sdist)) as draft,
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=epoch) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in sorted(draft, key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            tar.addfile(member, draft.extractfile(member) if member.isfile() else None)
    return packed.getvalue()
