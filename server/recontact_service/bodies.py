"""Small JSON bodies of requests."""

import json
from typing import TypeGuard

from starlette.types import Receive

from recontact_service.problems import bad_parameter, too_large
from recontact_service.values import Json

_BYTES_MAX = 65_536  # ours: a token request is a few hundred bytes


async def read_json(receive: Receive) -> dict[str, Json]:
    """Read a JSON object.

    Raises:
        Problem: 400 when the body is none, 413 when it is too large.
    """
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _BYTES_MAX:
            raise too_large()
    try:
        value: object = json.loads(body)
    except ValueError:
        raise bad_parameter("body", "must be JSON") from None
    if not _is_object(value):
        raise bad_parameter("body", "must be a JSON object")
    return value


def _is_object(value: object) -> TypeGuard[dict[str, Json]]:
    return isinstance(value, dict)
