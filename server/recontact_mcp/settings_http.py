"""Settings of the HTTP server."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from recontact_mcp.settings_values import ApiUrl, hosts, origins


class HttpSettings(BaseModel):
    """How clients reach the server over HTTP, and how much each may ask of it."""

    public_url: ApiUrl | None = Field(
        default=None,
        description="URL under which clients and browsers reach this server, such as `https://recontact.example.com`."
        " Needed to serve more than this machine.",
    )
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(hosts)] = Field(
        default=(),
        description="Further values of the Host header that are served, `name` or `name:port`, separated by commas."
        " That of the public URL and, on loopback, this machine's own are served anyway.",
    )
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(origins)] = Field(
        default=(),
        description="Further origins of browser pages that may call this server, `https://name`, separated by commas."
        " That of the public URL is allowed anyway.",
    )
