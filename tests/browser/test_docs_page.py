from __future__ import annotations

from playwright.sync_api import expect

from service.routes.sample import SAMPLE_PNG
from tests.browser.conftest import Visit


def test_docs_page_is_whole_without_a_network(visit: Visit) -> None:
    page = visit("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    for path in ("/v1/filter", "/v1/plan", "/v1/figure", "/v1/operations"):
        expect(page.locator(f'.opblock [data-path="{path}"]').first).to_be_visible()


def test_filter_can_be_tried_from_the_docs_page(visit: Visit) -> None:
    page = visit("/docs")
    block = page.locator(".opblock-post").filter(has=page.locator('[data-path="/v1/filter"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("combobox", name="Request content type").select_option("multipart/form-data")
    block.locator('input[type="file"]').set_input_files(
        {"name": "disk.png", "mimeType": "image/png", "buffer": SAMPLE_PNG}
    )
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").nth(1)).to_contain_text("200")
    picture = answer.locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
