"""`python -m release check | notes | keep | packages DIR | all DIR`."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from release import ROOT
from release.notes import notes
from release.packages import build
from release.version import disagreements, version

CHART = ROOT / "deploy" / "helm" / "convserve"


def check(tag: str | None) -> None:
    """End with what disagrees with the version."""
    found = disagreements(tag)
    if found:
        raise SystemExit("\n".join(found))
    print(version())


def everything(target: Path) -> None:
    """Make all that a release has but the images: packages, chart, site, OpenAPI document, notes, licences."""
    from docs.make import build as build_site  # noqa: PLC0415 -- `check` and `notes` run without the project's packages
    from release.contract import contract, document  # noqa: PLC0415
    from release.licences import PAGE  # noqa: PLC0415

    check(None)
    logging.basicConfig(level=logging.WARNING)  # the site's builder says there what is wrong with a link
    target.mkdir(parents=True, exist_ok=True)
    build(target / "packages")
    helm = shutil.which("helm") or str(Path(sys.executable).with_name("helm"))
    subprocess.run([helm, "package", str(CHART), "--destination", str(target / "chart")], check=True)
    build_site(target / "site")
    (target / "openapi.json").write_text(written(document()), encoding="utf-8")
    (target / "contract.json").write_text(written(contract()), encoding="utf-8")
    (target / "notes.md").write_text(notes(version()), encoding="utf-8")
    shutil.copy(PAGE, target / "licences.md")


def keep() -> None:
    """Write down what this version promises, for later ones to be held against."""
    from release.contract import KEPT, contract  # noqa: PLC0415

    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{version()}.json").write_text(written(contract()), encoding="utf-8")


def written(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("check", help="see that one version stands everywhere").add_argument("tag", nargs="?")
    parts.add_parser("notes", help="print the notes of this version")
    parts.add_parser("keep", help="keep what this version promises, in tests/released")
    parts.add_parser("packages", help="build wheel and sdist").add_argument("folder", type=Path)
    parts.add_parser("all", help="make all that a release has but the images").add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    match given.part:
        case "check":
            check(given.tag)
        case "notes":
            print(notes(version()), end="")
        case "keep":
            keep()
        case "packages":
            for path in build(given.folder):
                print(path)
        case "all":
            everything(given.folder)


if __name__ == "__main__":
    main()
