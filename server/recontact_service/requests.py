"""A request as the operations see it: checked, and with the parts of the service they work on."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from urllib.parse import parse_qs

from starlette.types import Receive

from recontact_service.problems import Answer, bad_parameter, not_found
from recontact_service.routes import Route
from recontact_service.runner import JobRunner
from recontact_service.settings import ServiceSettings
from recontact_service.store import Store
from recontact_service.tokens import Caller, Tokens
from recontact_service.values import StoredGroup, TargetGroup, TargetGroupState
from recontact_service.versions import Version

PAGE_SIZE_MAX = 100  # source: parameters.PageSize
PAGE_SIZE_DEFAULT = 10  # source: parameters.PageSize.schema.default
LONG_PAGE_SIZE_MAX = 1_000  # source: parameters.PageSize1000, which is its default too
_DIGITS_MAX = 100  # ours: longer than any number that somebody means
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")  # source: W3C trace context


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every operation works with; time and identifiers come from outside."""

    settings: ServiceSettings
    store: Store
    runner: JobRunner
    tokens: Tokens
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    new_uuid: Callable[[], str]
    sleep: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request past authentication and path checks."""

    route: Route
    version: Version
    account_id: int
    caller: Caller
    headers: Mapping[bytes, bytes]
    query: bytes
    receive: Receive
    parts: Parts


Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]


def group_of(request: Request) -> StoredGroup:
    """Find the target group of the path.

    Raises:
        Problem: 404 when account, project and target group do not belong together.
    """
    route = request.route
    group = request.parts.store.find_group(
        route.target_group_id, account_id=request.account_id, project_id=route.project_id
    )
    if group is None:
        raise not_found()
    return group


def document_of(request: Request) -> TargetGroup:
    """Read the target group of the path with its document.

    Raises:
        Problem: 404 when account, project and target group do not belong together.
    """
    route = request.route
    group = request.parts.store.read_group(route.target_group_id)
    if group is None or (group.account_id, group.project_id) != (request.account_id, route.project_id):
        raise not_found()
    return group


def launched(group: TargetGroup) -> TargetGroup:
    """Let a launched target group pass.

    Raises:
        Problem: 404 for a draft.
    """
    if group.state is TargetGroupState.DRAFT:
        raise not_found()
    return group


def trace_of(headers: Mapping[bytes, bytes], *, new_uuid: Callable[[], str]) -> str:
    """Return the trace that the caller named, or a new one: 32 hexadecimal digits."""
    named = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    return named[1].decode() if named else new_uuid().replace("-", "")


def query_of(request: Request) -> dict[str, str]:
    """Read the query; of a repeated parameter the first counts."""
    if not request.query:
        return {}
    parsed = parse_qs(request.query.decode("latin-1"), keep_blank_values=True)
    return {name: values[0] for name, values in parsed.items()}


def page_size_of(
    query: Mapping[str, str],
    settings: ServiceSettings,
    *,
    most: int = PAGE_SIZE_MAX,
    default: int = PAGE_SIZE_DEFAULT,
) -> int:
    """Read page_size, *default* when absent.

    Raises:
        Problem: 400 when it is no integer between 1 and *most*.
    """
    text = query.get("page_size")
    if text is None:
        return default
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= _DIGITS_MAX):
        raise bad_parameter("page_size", "must be an integer")
    size = int(text)
    if settings.page_size_out_of_range == "clamp":
        return min(max(size, 1), most)
    if not 1 <= size <= most:
        raise bad_parameter("page_size", f"must be between 1 and {most}")
    return size
