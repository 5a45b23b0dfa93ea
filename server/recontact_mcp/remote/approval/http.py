"""The approval pages of a server over HTTP, on its own address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_mcp.remote.approval.endpoints import Pages
from recontact_mcp.remote.approval.place import SIGNED_IN_PATH, Place
from recontact_mcp.remote.approval.signing_in import sign_in_for

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from recontact_mcp.remote.parts import Parts


def place_of(parts: Parts) -> Place:
    """Return the place of a server."""
    sign_in = sign_in_for(parts.settings, f"{parts.base_url}{SIGNED_IN_PATH}")
    links = parts.settings.auth_issuer is None  # then only this machine is served
    passkeys = parts.settings.approval_passkey != "off"
    return Place(
        parts.base_url,
        parts.names.origins,
        parts.opening.decisions,
        sign_in,
        links=links,
        passkeys=passkeys,
        strangers=parts.strangers,
    )


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the approval pages."""
    return [*Pages(place_of(parts)).routes()]
