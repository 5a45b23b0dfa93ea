"""Pagination cursors: unpadded base64 of what the last object of a page is called."""

import base64
import binascii

from recontact_service.packed import as_text
from recontact_service.problems import bad_parameter

_HEX_DIGITS = 32


def respondent_cursor(target_group_id: str, respondent: bytes) -> str:
    """Point at a respondent ID (16 bytes) of a target group."""
    return _encode(f"{target_group_id}&{as_text(respondent)[0]}")


def read_respondent_cursor(cursor: str, target_group_id: str, *, name: str) -> bytes:
    """Read a cursor back into the respondent ID it points at.

    Raises:
        Problem: 400, naming the parameter.
    """
    group, _, text = _decode(cursor, name=name).partition("&")
    digits = text.replace("-", "")
    if group != target_group_id or len(digits) != _HEX_DIGITS:
        raise bad_parameter(name, "is not a pagination cursor of this list")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise bad_parameter(name, "is not a pagination cursor of this list") from None


def key_cursor(key: str) -> str:
    """Point at whatever its list knows by a key: a job, a target group, an exclusion group, a template."""
    return _encode(key)


def read_key_cursor(cursor: str, *, name: str) -> str:
    """Read a cursor back into the key it points at.

    Raises:
        Problem: 400, naming the parameter.
    """
    return _decode(cursor, name=name)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, *, name: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise bad_parameter(name, "is not a pagination cursor") from None
