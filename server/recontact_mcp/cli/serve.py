"""`recontact-mcp serve`: MCP over stdio or over HTTP."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from recontact_mcp.cli.console import person, settings_or_stop, stop
from recontact_tools.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from recontact_mcp.remote.parts import Parts
    from recontact_mcp.remote.serving import Beside
    from recontact_mcp.settings import Settings


class Transport(StrEnum):
    """The two ways in which a client can reach the server."""

    STDIO = "stdio"
    HTTP = "http"


def serve(
    *,
    transport: Annotated[
        Transport, typer.Option(help="stdio for a client on this machine that starts the server itself.")
    ] = Transport.STDIO,
    host: Annotated[str, typer.Option(help="Address for http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for http; 0 takes a free one.", min=0, max=65_535)] = 8765,
) -> None:
    """Serve MCP: over stdio (the default), or over streamable HTTP.

    Over HTTP no local file can be read: stage_upload lets a person send one to the server. More than this
    machine is served only with a public URL and an authorization server; SIGTERM ends it without losing a call.
    """
    if transport is Transport.STDIO:
        from recontact_mcp.__main__ import serve_stdio

        serve_stdio()
    else:
        _serve_http(settings_or_stop(), host, port)


def _serve_http(settings: "Settings", host: str, port: int) -> None:
    from recontact_mcp.remote import binding

    objection = binding.objection(settings, host)
    if objection:
        stop(objection, cure=binding.cure(settings), code=2)
    from recontact_mcp.logs import configure
    from recontact_mcp.opening import Effects
    from recontact_mcp.remote.app import build_app
    from recontact_mcp.remote.parts import parts_for
    from recontact_mcp.remote.refusals import MCP_PATH
    from recontact_mcp.remote.serving import run
    from recontact_mcp.remote.tracing import Continuing
    from recontact_mcp.settings import SettingsError
    from recontact_mcp.telemetry import observers

    configure(settings.log_level, settings.log_format)
    effects, keys = Effects(observers=observers(os.environ)), _state_keys(settings)
    listening = _listening(host, port)
    taken: int = listening.getsockname()[1]
    address = f"{binding.shown(host)}:{taken}"
    try:
        parts = parts_for(settings, effects=effects, address=address, state_keys=keys)
    except SettingsError as error:
        stop("The access file cannot be used.", cure="\n".join(error.problems), code=2)
    whom = "this machine only" if is_loopback(host) else "whoever is authorized"
    words = f"Serving MCP on http://{address}{MCP_PATH} ({whom}). Stop with Ctrl-C."
    app = Continuing(build_app(parts)) if effects.observers else build_app(parts)
    run(app, parts, listening, ready=lambda: person().print(words), beside=_beside(parts))


def _beside(parts: "Parts") -> "Beside | None":
    """Return what serves the numbers, on a port of its own."""
    from recontact_mcp.remote.app import build_watching_app
    from recontact_mcp.remote.serving import Beside
    from recontact_mcp.settings_addresses import split_address

    app, address = build_watching_app(parts), parts.settings.metrics_address
    if app is None or address is None:
        return None
    host, port = split_address(address)
    return Beside(app, _listening(host, port or 0))


def _listening(host: str, port: int) -> "socket":
    from recontact_mcp.remote.binding import listen

    try:
        return listen(host, port)
    except OSError:
        stop(
            f"Port {port} on {host} cannot be used.",
            cure="Choose another one (--port, RECONTACT_METRICS_ADDRESS), or 0.",
        )


def _state_keys(settings: "Settings") -> "Sequence[bytes]":
    import anyio

    from recontact_mcp.state_keys import shared_state_keys
    from recontact_tools.errors import Unreachable

    try:
        return anyio.run(shared_state_keys, settings)
    except Unreachable as refusal:
        stop(refusal.message, cure="Start the PostgreSQL that RECONTACT_DATABASE_URL names, or correct the URL.")
