"""A real Chromium with the network cut off: whatever is not the service under test is refused, and remembered."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright

from tests.browser.playground import PATIENCE
from tests.live import Live

REQUIRED = os.environ.get("CONVSERVE_TEST_BROWSER") == "required"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Visit = Callable[..., Page]


@dataclass
class Watch:
    """What must not happen in a page, and did; a test may expect some words on the console."""

    host: str
    foreign: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, words: str) -> None:
        self.expected.append(words)

    def refuse(self, route: Route) -> None:
        self.foreign.append(route.request.url)
        route.abort()

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def check(self) -> None:
        assert not self.foreign
        assert not [fault for fault in self.faults if not any(words in fault for words in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)


def find_chromium() -> str:
    """Give the path of Chromium; without one, skip or, where it is required, fail."""
    path = shutil.which("chromium")
    if path is None and REQUIRED:
        pytest.fail("CONVSERVE_TEST_BROWSER is required, and there is no chromium on the path")
    if path is None:
        pytest.skip("no chromium on the path: the browser tests are passed over")
    return path


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give one browser to this folder, not to the session: while it runs, no other event loop can."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def watch(live: Live) -> Watch:
    return Watch(urlsplit(live.url).netloc)


@pytest.fixture
def visit(browser: Browser, watch: Watch, live: Live) -> Iterator[Visit]:
    """Open an address of the service in a fresh context, with options of the context; afterwards all must be clean."""
    contexts: list[BrowserContext] = []

    def open_(path: str = "/", url: str = live.url, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.route(re.compile(rf"^(?!http://{re.escape(watch.host)}/)"), watch.refuse)
        page = context.new_page()
        watch.listen(page)
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    watch.check()
