"""How far this machine's clock is from the authorization server's: the ends of tokens are judged by ours."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from recontact_mcp.remote.authorization.fetching import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


async def seconds_ahead(url: str, now: Callable[[], datetime]) -> float | None:
    """Return how far our clock is ahead of that of the server at a URL, to a second; None where it does not say."""
    try:
        async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            answer = await client.head(url)
        return (now() - parsedate_to_datetime(answer.headers.get("date", ""))).total_seconds()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError):  # the last: a date without a zone
        return None
