"""Settings of the HTTP server."""

from pydantic import BaseModel, Field

from recontact_mcp.settings_values import ApiUrl


class HttpSettings(BaseModel):
    """How clients reach the server over HTTP, and how much each may ask of it."""

    public_url: ApiUrl | None = Field(
        default=None,
        description="URL under which clients and browsers reach this server, such as `https://recontact.example.com`."
        " Needed to serve more than this machine.",
    )
