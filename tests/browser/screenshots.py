"""Make the pictures of the playground in docs/pictures: `python -m tests.browser.screenshots`."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS, find_chromium
from tests.browser.playground import wait_for_result
from tests.live import ROOT, serving

FOLDER = ROOT / "docs" / "pictures"
COLOURS = 256
MOST_BYTES = 250_000


class View(NamedTuple):
    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]


VIEWS = (
    View("playground", 1280, 1500, "light"),
    View("playground-dark", 1280, 1500, "dark"),
    View("playground-phone", 390, 844, "light"),
)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), workers=2) as live,
        sync_playwright() as chromium,
    ):
        browser = chromium.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        photograph(browser, live.url, VIEWS[0])  # the first visit warms the service: its times are not those of a photo
        for view in VIEWS:
            picture = photograph(browser, live.url, view)
            assert len(picture) < MOST_BYTES, f"{view.name} has {len(picture)} bytes"
            (FOLDER / f"{view.name}.png").write_bytes(picture)
        browser.close()


def photograph(browser: Browser, url: str, view: View) -> bytes:
    """Give a PNG of the page as it begins, with the previews there and the times of a second run."""
    size = {"width": view.width, "height": view.height}
    with browser.new_context(viewport=size, color_scheme=view.scheme, reduced_motion="reduce") as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(url)
        wait_for_result(page)
        page.wait_for_load_state("networkidle")
        page.locator("#steps select.operation").select_option("grayscale")
        page.locator("[data-preset=emboss]").click()
        page.wait_for_load_state("networkidle")
        page.locator("#presets").evaluate("list => list.scrollTo(0, 0)")
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)
        shot = page.screenshot()
    few = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3)
    packed = io.BytesIO()
    few.save(packed, "PNG", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    main()
