"""The control groups of this process, versions 1 and 2 (cgroups(7)): a container's bounds on its cores and memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def bounds(controller: str, unified: str, legacy: str, root: Path = ROOT) -> Iterator[tuple[str, ...]]:
    """Read the bounds of `controller` from the files of this process's group and of each group around it.

    `unified` names the file of version 2; `legacy` names those of version 1, separated by blanks, whose contents are
    yielded together. Missing or unreadable files set no bound. `root` stands for `/`.
    """
    for kind, folder in _groups(controller, root):
        names = [unified] if kind == "cgroup2" else legacy.split()
        try:
            yield tuple((folder / name).read_text(encoding="ascii").strip() for name in names)
        except (OSError, ValueError):
            continue


def _groups(controller: str, root: Path) -> Iterator[tuple[str, Path]]:
    """List the version and folder of each group, innermost first, as far out as they are mounted here."""
    for kind, top, mount in _mounts(controller, root):
        group = _group(controller if kind == "cgroup" else "", root)
        if group is None:
            continue
        # Without a namespace of its own, a container sees the path on its host, but only `top` of it is mounted.
        inner = group.relative_to(top) if group.is_relative_to(top) else group.relative_to("/")
        folder = root / mount.relative_to("/") / inner
        for _ in range(len(inner.parts) + 1):
            yield kind, folder
            folder = folder.parent


def _mounts(controller: str, root: Path) -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """Read version, root and mount point of each mount of `controller` (proc(5), mountinfo)."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        fields, (kind, *_, options) = before.split(), (after.split() or [""])
        if len(fields) > 4 and (kind == "cgroup2" or (kind == "cgroup" and controller in options.split(","))):
            yield kind, PurePosixPath(_plain(fields[3])), PurePosixPath(_plain(fields[4]))


def _group(controller: str, root: Path) -> PurePosixPath | None:
    """Find this process's group in the hierarchy of `controller`; the hierarchy of version 2 has no name."""
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(",") and path.startswith("/"):
            return PurePosixPath(path)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []


def _plain(path: str) -> str:
    """Decode the octal escapes of blanks and similar characters."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
