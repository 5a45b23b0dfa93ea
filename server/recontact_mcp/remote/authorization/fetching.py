"""Requests to the authorization server: few, short, bounded, and never somewhere else than configured."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

# ours: somebody waits for the answer to a call that cannot begin before.
SECONDS: Final = 5.0
# ours: a hundred keys; whatever is larger is no such document.
BYTES_MAX: Final = 262_144
_OK: Final = 200
_REFUSED: Final = 400  # source: RFC 6749 section 5.2; 401 is about our own credentials


class CannotTell(Exception):
    """The authorization server gave no usable answer, so that nobody can be let in for now."""


class NotGranted(CannotTell):
    """The authorization server answered that it does not take what it was sent."""


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def fetched(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL; no redirect is followed.

    Raises:
        CannotTell: There is none.
    """
    return await _exchanged(httpx.Request("GET", url, headers={"accept": "application/json"}))


async def posted(url: str, form: Mapping[str, str], *, user: str, password: str) -> dict[str, Any]:
    """Return the JSON object that answers a form, sent with the server's own credentials.

    Raises:
        NotGranted: The form was refused.
        CannotTell: There is none.
    """
    request = httpx.Request("POST", url, data=dict(form), headers={"accept": "application/json"})
    return await _exchanged(request, httpx.BasicAuth(user, password))


async def _exchanged(request: httpx.Request, auth: httpx.Auth | None = None) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(verify=_trust(), timeout=SECONDS, follow_redirects=False) as client:
            answer = await client.send(request, auth=auth, stream=True)
            try:
                content = await _content(answer)
                if answer.status_code == _REFUSED:
                    raise NotGranted
                return _object(answer.status_code, content)
            finally:
                await answer.aclose()
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, RecursionError):
        raise CannotTell from None


async def _content(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > BYTES_MAX:
            raise ValueError("too large")
    return bytes(content)


def _object(status: int, content: bytes) -> dict[str, Any]:
    found = json.loads(content) if status == _OK else None
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 (it is the caller's word for a useless answer)
    return cast("dict[str, Any]", found)
