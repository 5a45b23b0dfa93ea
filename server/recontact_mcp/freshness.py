"""How long a client may keep what it read: as long as the answer itself says that asking again is too early."""

import json
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

# ours: a job that has ended never reads otherwise; a day is longer than any conversation about it.
ENDED_MS = 86_400_000
# ours: what an upload came to is being counted, or could not be yet; `get_upload_job` says to repeat in a minute.
SETTLING_MS = 60_000


async def fresh(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Give the reading of a job a `ttlMs`, which clients of 2026-07-28 keep to.

    Clients of 2025 know no such thing: they have `poll_after_seconds` in the answer, of which it is made.
    """
    result = await call_next(ctx)
    if ctx.method != "resources/read" or not isinstance(result, dict) or "ttlMs" not in result:
        return result
    milliseconds = ttl_of(result.get("contents", []))
    return result if milliseconds is None else {**result, "ttlMs": milliseconds}


def ttl_of(contents: list[dict[str, Any]]) -> int | None:
    """Return for how many milliseconds a job reads the same; None for what is no job."""
    if len(contents) != 1 or contents[0].get("mimeType") != "application/json":
        return None
    answer: dict[str, Any] = json.loads(contents[0].get("text", "{}"))
    seconds = answer.get("poll_after_seconds")
    if seconds is None:
        return None
    if seconds:
        return int(seconds) * 1000
    settling = answer.get("stored_before") is not None and answer.get("stored_after") is None
    return SETTLING_MS if settling else ENDED_MS
