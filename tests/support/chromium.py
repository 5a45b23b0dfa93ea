"""Debian's Chromium for the tests of pages: found, never downloaded, and never left out."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def path_of_chromium() -> str:
    """Return where Chromium is.

    Raises:
        AssertionError: There is none: the tests of pages do not pass without.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "Chromium is missing: apt-get install chromium (Debian), or put one into PATH"
    return found


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Run a headless Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path_of_chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
