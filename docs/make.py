"""Generate the parts of docs/ that come from the running code, and build the site: `make docs`.

Generated are docs/operations.md, docs/licences.md, the tables in README.md and docs/deployment.md, docs/pictures/,
docs/figures/ and service/static/examples/. They are under version control, so you can read the pages without building
anything; a test fails when they are out of date.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from docs import drawings, photographs, reference, settings_table
from release import licences

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "service" / "static" / "examples"
MADE = (DOCS / "pictures", DOCS / "figures", EXAMPLES)
"""In these folders, every SVG and every JPEG except the photograph is generated; other files are left alone."""


def texts() -> dict[Path, str]:
    """Return the generated pages and drawings."""
    drawn = {DOCS / "figures" / name: svg for name, svg in drawings.figures().items()}
    return {
        DOCS / "operations.md": reference.page(),
        reference.README: reference.readme(),
        settings_table.PAGE: settings_table.page(),
        **drawn,
    }


def pictures() -> dict[Path, bytes]:
    """Return the generated pictures."""
    shown = {DOCS / "pictures" / name: data for name, data in photographs.pictures().items()}
    return shown | {EXAMPLES / name: data for name, data in photographs.thumbnails().items()}


def strangers(known: set[Path]) -> Iterator[Path]:
    """Find files that were generated once and no longer are."""
    for path in (path for folder in MADE for path in sorted(folder.iterdir())):
        if path.suffix in {".jpg", ".svg"} and path not in known | {photographs.PHOTOGRAPH}:
            yield path


def build(site: Path, *, strict: bool = True) -> None:
    """Build the site; with `strict`, raises for a link that leads nowhere."""
    from mkdocs.commands.build import build as build_site  # noqa: PLC0415 -- tests of the texts do without
    from mkdocs.config import load_config  # noqa: PLC0415

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(site), strict=strict)
    config.plugins.on_startup(command="build", dirty=False)
    build_site(config)


def main() -> None:
    logging.basicConfig(level=logging.WARNING)  # the site's builder says there what is wrong with a link
    for folder in MADE:
        folder.mkdir(exist_ok=True)
    made = {path: text.encode() for path, text in texts().items()} | pictures()
    licences.PAGE.write_text(licences.page(), encoding="utf-8")
    for path, data in made.items():
        path.write_bytes(data)
    for path in strangers(set(made)):
        path.unlink()
    build(ROOT / "site")


if __name__ == "__main__":
    main()
