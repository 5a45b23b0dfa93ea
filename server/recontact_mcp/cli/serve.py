"""`recontact-mcp serve`: MCP over stdio or over HTTP on this machine."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

from enum import StrEnum
from typing import Annotated

import typer

from recontact_mcp.cli.console import person, settings_or_stop, stop
from recontact_tools.loopback import is_loopback


class Transport(StrEnum):
    """The two ways in which a client can reach the server."""

    STDIO = "stdio"
    HTTP = "http"


def serve(
    *,
    transport: Annotated[
        Transport, typer.Option(help="stdio for a client on this machine that starts the server itself.")
    ] = Transport.STDIO,
    host: Annotated[str, typer.Option(help="Address for http; this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for http; 0 takes a free one.", min=0, max=65_535)] = 8765,
) -> None:
    """Serve MCP: over stdio (the default), or over streamable HTTP for clients on this machine.

    Over HTTP no local file can be read: a client uploads a short list of ids instead of a path.
    """
    if transport is Transport.STDIO:
        from recontact_mcp.__main__ import serve_stdio

        serve_stdio()
    elif is_loopback(host):
        _serve_http(host, port)
    else:
        stop(
            "Only this machine can be served over HTTP: clients are not asked for authorization yet.",
            cure="Use --host 127.0.0.1; serving other machines comes with a later release.",
            code=2,
        )


def _serve_http(host: str, port: int) -> None:
    import socket

    import uvicorn

    from recontact_mcp.logs import configure
    from recontact_mcp.remote.app import MCP_PATH, build_app
    from recontact_mcp.remote.parts import parts_for

    settings = settings_or_stop()
    configure(settings.log_level, settings.log_format)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except OSError:
        stop(f"Port {port} on {host} cannot be used.", cure="Choose another one with --port, or 0 for any.")
    taken: int = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    app = build_app(parts_for(settings, address=f"{shown}:{taken}"))
    person().print(f"Serving MCP on http://{shown}:{taken}{MCP_PATH} (this machine only). Stop with Ctrl-C.")
    # log_config None: our own handlers stay. No access log: paths and cursors would be in it.
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
    uvicorn.Server(config).run(sockets=[listening])
