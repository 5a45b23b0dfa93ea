"""The program: serves MCP over stdio at once; everything else goes through the command line."""

# Imports stand inside the functions of this module: a host waits for the first answer of a cold start, and
# neither way pays for the other's packages.

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from recontact_mcp.opening import Pages
    from recontact_tools.deciding import Decisions

# Every way to say "serve over stdio" that needs no parser.
STDIO: tuple[list[str], ...] = ([], ["serve"], ["serve", "--transport", "stdio"], ["serve", "--transport=stdio"])


def main() -> None:
    """Run the program with the arguments of its command line."""
    if sys.argv[1:] in STDIO:
        serve_stdio()
        return
    from recontact_mcp.cli import main as command_line

    command_line()


def serve_stdio() -> None:
    """Serve MCP on stdin and stdout until stdin ends; settings that do not fit exit with 2."""
    # Imports make many objects and no garbage: collecting costs a tenth of the start and finds nothing.
    gc.disable()
    from recontact_mcp.logs import configure
    from recontact_mcp.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"recontact-mcp cannot start.\n{error}\n")
        sys.exit(2)
    configure(settings.log_level, settings.log_format)
    from recontact_mcp.app import build_server
    from recontact_mcp.opening import Effects
    from recontact_mcp.telemetry import observers

    try:
        effects = Effects(observers=observers(os.environ), pages=approval_pages if settings.open_browser else None)
        server = build_server(settings, effects=effects)
    except SettingsError as error:  # of the access file, which is read with the server that needs it
        sys.stderr.write(f"recontact-mcp cannot start.\n{error}\n")
        sys.exit(2)
    gc.freeze()
    gc.enable()
    if sys.stdin.isatty():
        sys.stderr.write("Serving MCP on stdin: an assistant is expected there. For people: recontact-mcp --help\n")
    try:
        server.run("stdio")
    # Tested; but CPython 3.11 traces no more lines of a frame after an event loop ran in it.
    except KeyboardInterrupt:  # pragma: no cover (the line above)
        # source: POSIX shells, 128 + SIGINT
        sys.exit(130)


def approval_pages(decisions: "Callable[[], Awaitable[Decisions]]") -> "AbstractAsyncContextManager[Pages]":
    """Open the page in the user's browser where they decide about a removal; it starts with the first one."""
    from recontact_mcp.remote.approval.loopback import loopback_pages

    return loopback_pages(decisions)


if __name__ == "__main__":
    main()
