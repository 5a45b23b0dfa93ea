"""The server as an OAuth 2.1 resource server: whose tokens pass, and what each request takes."""

from recontact_mcp.remote.authorization.edge import entrance, guard
from recontact_mcp.remote.authorization.metadata import routes

__all__ = ["entrance", "guard", "routes"]
