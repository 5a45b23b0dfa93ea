"""Where people decide about removals in a browser: signed in over HTTP, or let in by a link on this machine."""

from recontact_mcp.remote.approval.http import routes

__all__ = ["routes"]
