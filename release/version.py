"""The version, and every place that repeats it."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from release import ROOT

PLACES: Final = {
    "deploy/helm/convserve/Chart.yaml": r"^(?:version|appVersion): (\S+)$",
    "Dockerfile": r"^ARG VERSION=(\S+)$",
    "compose.yaml": r"^    image: convserve:(\S+)$",
    "CHANGELOG.md": r"\A# Changelog\n\n## (\S+)$",
}
"""By file: what the version stands behind. The changelog begins with it."""


def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


def disagreements(tag: str | None = None) -> list[str]:
    """Say where another version stands than in pyproject.toml, and whether the tag is one of it."""
    right = version()
    found = [] if tag in {None, f"v{right}"} else [f"the tag is {tag}, and the version in pyproject.toml {right}"]
    for file, pattern in PLACES.items():
        versions = re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        if not versions or set(versions) != {right}:
            found.append(f"{file} has {', '.join(versions) or 'no version'}, and pyproject.toml {right}")
    return found
