"""Settings of the HTTP server."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from recontact_mcp.settings_values import ApiUrl, key_bytes, keys


class HttpSettings(BaseModel):
    """How clients reach the server over HTTP, and how much each may ask of it."""

    public_url: ApiUrl | None = Field(
        default=None,
        description="URL under which clients and browsers reach this server, such as `https://recontact.example.com`."
        " Needed to serve more than this machine.",
    )
    state_key: Annotated[SecretStr, AfterValidator(keys)] | None = Field(
        default=None,
        description="Key that seals what a client carries from one round of a question to the next, 32 bytes in base64;"
        " the same for every server behind one address. Several, separated by commas: the first one seals, all open."
        " Unset: one from the database that the servers share, or of this process alone.",
    )

    @property
    def state_keys(self) -> tuple[bytes, ...]:
        """The keys of what clients carry between rounds, where they are configured; the first one seals."""
        if self.state_key is None:
            return ()
        return tuple(key_bytes(key) for key in self.state_key.get_secret_value().split(","))
