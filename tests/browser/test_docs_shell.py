"""The frame round Swagger UI: language, landmarks, schemes, pictures, and a policy without exceptions."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.routes.operations import BY_NAME
from tests.browser.conftest import Visit
from tests.browser.playground import faults
from tests.live import Live

THEIRS = {"nested-interactive"}
"""Swagger UI puts a link into the button that opens a request."""


def open_filter(page: Page) -> None:
    block = page.locator(".opblock-post").filter(has=page.locator('[data-path="/v1/filter"]'))
    block.locator(".opblock-summary-control").click()
    expect(block.get_by_role("button", name="Try it out")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_of_ours(visit: Visit, scheme: str) -> None:
    page = visit("/docs", color_scheme=scheme)
    open_filter(page)
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("combobox", name="Request content type").select_option("application/json")
    expect(page.get_by_role("textbox", name="Request body")).to_be_visible()
    assert not [fault for fault in faults(page) if not any(theirs in fault for theirs in THEIRS)]


def test_page_has_language_landmarks_and_one_heading_of_its_own(visit: Visit) -> None:
    page = visit("/docs")
    open_filter(page)
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.locator("h1:not([aria-level])")).to_have_text("convserve API")
    expect(page.get_by_role("navigation", name="Site").get_by_role("link")).to_have_count(5)


def test_its_links_lead_somewhere(visit: Visit) -> None:
    page = visit("/docs")
    for link in page.get_by_role("navigation", name="Site").get_by_role("link").all():
        target = link.evaluate("link => link.href")
        assert httpx.get(target, headers={"Accept": "text/html,*/*"}, trust_env=False).status_code == 200, target


def test_each_operation_has_a_picture(visit: Visit) -> None:
    page = visit("/docs")
    open_filter(page)
    pictures = page.locator(".opblock-description img")
    expect(pictures).to_have_count(len(BY_NAME))
    for picture in pictures.all():
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_chosen_example_shows_its_picture(visit: Visit) -> None:
    page = visit("/docs")
    open_filter(page)
    page.get_by_role("combobox", name="Request content type").select_option("application/json")
    page.get_by_role("combobox", name="Example").select_option("gradient-1")
    chosen = page.locator(".example__section").get_by_role("img", name="A photograph after gradient-1")
    expect(chosen).to_be_visible()


def test_dark_scheme_is_the_systems_or_the_playgrounds(visit: Visit) -> None:
    luminance = "page => getComputedStyle(document.body).backgroundColor"
    colours = {scheme: visit("/docs", color_scheme=scheme).evaluate(luminance) for scheme in ("light", "dark")}
    assert colours["light"] != colours["dark"]
    page = visit("/docs", color_scheme="light")
    page.evaluate('localStorage.setItem("convserve-theme", "dark")')
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark-mode"))
    assert page.evaluate(luminance) == colours["dark"]


def test_policy_allows_nothing_inline(live: Live) -> None:
    """That the page works under it is what the other tests see: a breach is written to the console, and fails them."""
    page = httpx.get(f"{live.url}/docs", trust_env=False)
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page.text)
