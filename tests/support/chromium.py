"""Chromium, driven by playwright, and what every page of ours must hold in it."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 360, "height": 780}
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# What Chromium says about a page whose status is the point of the test.
_OF_STATUS = "Failed to load resource: the server responded with a status of"

# Returns what is wrong with a page for people who do not see it well, or do not use a mouse.
CHECKS = """
() => {
  const wrong = [];
  const seen = element => element.getClientRects().length > 0;
  if (document.documentElement.lang !== 'en') wrong.push('no language');
  if (!document.title) wrong.push('no title');
  for (const one of ['main', 'h1', 'header', 'footer'])
    if (document.querySelectorAll(one).length !== 1) wrong.push('not one ' + one);
  for (const input of document.querySelectorAll('input:not([type=hidden]), textarea, select')) {
    if (!input.labels.length && !input.ariaLabel) wrong.push('no label: ' + input.name);
    for (const id of (input.getAttribute('aria-describedby') || '').split(' ').filter(Boolean))
      if (!document.getElementById(id)) wrong.push('no description: ' + id);
  }
  for (const one of document.querySelectorAll('button, a')) if (!one.textContent.trim()) wrong.push('no name');
  const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
  if (new Set(ids).size !== ids.length) wrong.push('an id twice');
  const numbers = text => text.match(/[0-9.]+/g).map(Number);
  const light = colour => colour.slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!text && element.tagName !== 'INPUT' || !seen(element)) continue;
    const colours = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const [one, other] = colours.sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) wrong.push('contrast ' + ratio.toFixed(1) + ': ' + element.textContent.trim().slice(0, 30));
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');
  return wrong;
}
"""


@dataclass
class Window:
    """One page, everything it asked for and everything it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        """Listen from the start."""
        self.page.on("request", self._asked)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _OF_STATUS not in message.text:
            self.complaints.append(message.text)

    async def check(self, *origins: str) -> None:
        """Check that everybody can use the page, and that it talked to nobody else."""
        wrong: list[Any] = await self.page.evaluate(CHECKS)
        assert wrong == []
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(origins)] == []

    async def picture(self, name: str) -> None:
        """Make a picture for the documentation, where somebody asked for it with DOCS_IMAGES=1."""
        if os.environ.get("DOCS_IMAGES"):
            IMAGES.mkdir(exist_ok=True)
            await self.page.screenshot(path=IMAGES / f"{name}.png", scale="css")


@dataclass(frozen=True)
class Chromium:
    """A running browser."""

    browser: Browser

    @asynccontextmanager
    async def context(
        self, scheme: Literal["light", "dark"] = "light", **options: Any
    ) -> AsyncGenerator[BrowserContext]:
        """Open a profile of its own."""
        chosen: dict[str, Any] = {"viewport": {"width": 720, "height": 900}, **options}
        context = await self.browser.new_context(color_scheme=scheme, **chosen)
        try:
            yield context
        finally:
            await context.close()

    @asynccontextmanager
    async def window(self, scheme: Literal["light", "dark"] = "light", **options: Any) -> AsyncGenerator[Window]:
        """Open a window in a profile of its own."""
        async with self.context(scheme, **options) as context:
            yield Window(await context.new_page())


def _do_without() -> NoReturn:
    """Leave a test out on somebody's own machine, which need not have a browser; a CI must have one."""
    assert not os.environ.get("CI"), "these tests drive Chromium, which is not there: apt-get install chromium"
    pytest.skip("needs Chromium (apt-get install chromium), which is not on this machine")


@asynccontextmanager
async def chromium() -> AsyncGenerator[Chromium]:
    """Run the machine's Chromium until the block is left."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        _do_without()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
