"""Settings of the way to Cint: who asks there, where it is, and how hard it may be asked."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from recontact_mcp.settings_addresses import ApiUrl, proxy_url
from recontact_mcp.settings_values import SecretFile, absolute, existing_file, secret_file, ulid

# What the embedded service holds at its first start.
EMBEDDED_ACCOUNT_ID = 101
EMBEDDED_PROJECT_ID = "01BTGNYV6HRNK8K8VKZASZCFP0"

Ulid = Annotated[str, AfterValidator(ulid)]


class CintSettings(BaseModel):
    """How Cint is reached; without a client id the embedded service stands in for it."""

    cint_client_id: str | None = Field(
        default=None, description="OAuth client id. Unset: the embedded service is used and nothing leaves."
    )
    cint_client_secret: SecretStr | None = Field(default=None, description="OAuth client secret.")
    cint_client_secret_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File with the OAuth client secret and nothing else, in place of `CINT_CLIENT_SECRET`. It must be"
        " yours, and closed to everybody else (`chmod 600`).",
    )
    cint_account_id: int | None = Field(
        default=None,
        gt=0,
        le=2_147_483_647,  # source: cint-api.md, account_id is an int32
        description="Account used when a call names none. Embedded default: 101.",
    )
    cint_project_id: Ulid | None = Field(
        default=None,
        description=f"Project used when a call names none. Embedded default: `{EMBEDDED_PROJECT_ID}`.",
    )
    cint_api_version: str = Field(
        default="2025-12-18",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="Version of the API, sent with every request. Tried: 2025-12-18 and 2025-05-27.",
    )
    cint_base_url: ApiUrl = Field(
        default="https://api.cint.com/v1",
        description="Where the API is. Plain http only to this machine.",
    )
    cint_auth_url: ApiUrl = Field(
        default="https://auth.cint.com/oauth/token",
        description="Where access tokens are issued. Plain http only to this machine.",
    )
    cint_ca_bundle: Annotated[Path, AfterValidator(existing_file)] | None = Field(
        default=None,
        description="PEM file with certificates to trust besides the usual ones, such as those of a proxy that"
        " looks into https.",
    )
    cint_proxy: Annotated[SecretStr, AfterValidator(proxy_url)] | None = Field(
        default=None,
        description="URL of the proxy to Cint, `http://user:password@host:port`. Unset: what `HTTPS_PROXY` and"
        " `NO_PROXY` say.",
    )
    cint_proxy_file: SecretFile = Field(
        default=None,
        description=secret_file("CINT_PROXY"),
    )
    cint_connect_seconds: float = Field(
        # ours: four attempts and their pauses must fit into the time of a read, which is half that of a tool call.
        default=5.0,
        gt=0,
        le=10,
        allow_inf_nan=False,
        description="Seconds to wait for a connection, 10 at most.",
    )
    cint_read_seconds: float = Field(
        default=12.0,  # ours: asking again, on a new connection, still fits into the 30 s of a read
        gt=0,
        le=25,
        allow_inf_nan=False,
        description="Seconds of silence after which a read is given up and asked again, 25 at most.",
    )
    cint_write_seconds: float = Field(
        default=60.0,  # ours: 5 MB over a slow uplink; a start that takes longer than a call is followed without it
        gt=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds for which sending may stand still, 60 at most.",
    )
    cint_requests_at_once: int = Field(
        default=8,  # ours: Cint publishes no limit and advises restraint
        ge=1,
        le=20,  # ours: as many connections as the gateway keeps
        description="Requests on their way to Cint at the same time.",
    )
    cint_requests_per_second: float = Field(
        default=10.0,  # ours: Cint publishes no limit and advises restraint
        gt=0,
        le=1_000,
        allow_inf_nan=False,
        description="Most requests to Cint in any second; 0.5 is one in two seconds.",
    )
