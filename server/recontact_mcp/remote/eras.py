"""Which era of the protocol a request is of, told from its head alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from starlette.types import Scope

_VERSION: Final = MCP_PROTOCOL_VERSION_HEADER.encode("ascii")
_HANDSHAKES: Final = frozenset(version.encode("ascii") for version in HANDSHAKE_PROTOCOL_VERSIONS)


def is_modern(scope: Scope) -> bool:
    """Whether a request is of an era without handshakes; an unknown version counts as such, and is refused there."""
    version: bytes | None = next((value for name, value in scope["headers"] if name == _VERSION), None)
    return version is not None and version not in _HANDSHAKES
