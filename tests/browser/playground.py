"""What tests do with the playground, in words of the page."""

from __future__ import annotations

import base64
import json
import re
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE = 15_000  # milliseconds
AXE = files("axe_playwright_python") / "axe.min.js"
PHOTO = Path(__file__).parents[2] / "docs" / "pictures" / "cat.jpg"
DROP = """([name, type, base64, event]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  const Kind = event === "paste" ? ClipboardEvent : DragEvent;
  const key = event === "paste" ? "clipboardData" : "dataTransfer";
  document.body.dispatchEvent(new Kind(event, { [key]: data, bubbles: true, cancelable: true }));
}"""


def wait_for_result(page: Page) -> str:
    """Wait until there is a result; give its address."""
    page.locator("html[data-ready]").wait_for()
    expect(page.locator("#download")).to_have_attribute("href", re.compile("^blob:"), timeout=PATIENCE)
    return page.locator("#download").get_attribute("href") or ""


def wait_for_another(page: Page, former: str) -> str:
    """Wait for a result that is not the former one; give its address."""
    expect(page.locator("#download")).not_to_have_attribute("href", former, timeout=PATIENCE)
    return wait_for_result(page)


def result(page: Page, form: str = "PNG") -> bytes:
    """Give the bytes of the picture that is downloaded."""
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {form}").click()
    return Path(download.value.path()).read_bytes()


def give(page: Page, event: str, name: str, content: bytes, media_type: str = "image/png") -> None:
    """Drop or paste a file."""
    page.evaluate(DROP, [name, media_type, base64.b64encode(content).decode(), event])


def field(page: Page, name: str) -> Locator:
    return page.locator(f'[data-field="{name}"]')


def number(page: Page, name: str) -> Locator:
    return field(page, name).locator('input[type="number"]').first


def spec(page: Page) -> dict[str, Any]:
    """Read the spec out of the address."""
    text = page.evaluate("location.hash.slice(3)")
    if not text:
        return {}
    padded = text + "=" * (-len(text) % 4)
    return json.loads(base64.urlsafe_b64decode(padded))  # type: ignore[no-any-return]


def wait_for_spec(page: Page, wanted: dict[str, Any]) -> None:
    """Wait until the address holds a spec."""
    end = monotonic() + PATIENCE / 1000
    while spec(page) != wanted and monotonic() < end:
        page.wait_for_timeout(50)
    assert spec(page) == wanted


def faults(page: Page, part: str = "html") -> list[str]:
    """Give what axe-core finds in a part of the page, each fault with the places where it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("part => axe.run(part).then((results) => results.violations)", part)
    return [f"{one['impact']} {one['id']}: {[node['html'][:160] for node in one['nodes']]}" for one in found]
