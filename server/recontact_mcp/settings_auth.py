"""Settings of authorization: whose tokens are accepted, and what each principal may do."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from recontact_mcp.settings_addresses import ApiUrl, issuer_url
from recontact_mcp.settings_values import SecretFile, absolute, existing_file, names, secret_file

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class AuthSettings(BaseModel):
    """Who may use the server over HTTP."""

    auth_issuer: Annotated[str, AfterValidator(issuer_url)] | None = Field(
        default=None,
        description="URL of the authorization server (OAuth 2.1) whose tokens are accepted over HTTP, exactly as it"
        " writes itself into them. Unset: no token is asked for, and only this machine is served.",
    )
    auth_audience: str | None = Field(
        default=None,
        min_length=1,
        max_length=1_024,  # ours: far beyond any URL
        description="What tokens must name as their audience. Default: `RECONTACT_PUBLIC_URL` with `/mcp`, which"
        " clients ask for by RFC 8707.",
    )
    auth_algorithms: Annotated[tuple[Algorithm, ...], BeforeValidator(names)] = Field(
        # ours: what authorization servers sign with, without those that few need.
        default=("RS256", "ES256", "EdDSA"),
        min_length=1,
        description="Signatures of tokens that are accepted, separated by commas; never `none`, and none with a shared"
        " secret.",
    )
    auth_token_type: Literal["at+jwt", "JWT"] = Field(
        # source: RFC 9068 section 4, so that no other signed token of the same issuer passes for an access token
        default="at+jwt",
        description="What `typ` must say in the header of a token. `JWT` also accepts `JWT` and none, for issuers that"
        " do not set it; the audience then is all that tells an access token from an id token.",
    )
    auth_jwks_url: ApiUrl | None = Field(
        default=None,
        description="Where the issuer's keys are. Default: as its metadata say (RFC 8414 or OpenID Connect).",
    )
    auth_introspection_url: ApiUrl | None = Field(
        default=None,
        description="Where tokens are asked about (RFC 7662), for issuers whose tokens are no JWTs. Set, it replaces"
        " the check of signatures.",
    )
    auth_client_id: str | None = Field(
        default=None, min_length=1, description="As whom this server asks about tokens (introspection)."
    )
    auth_client_secret: SecretStr | None = Field(
        default=None, description="Secret of `RECONTACT_AUTH_CLIENT_ID` at the authorization server."
    )
    auth_client_secret_file: SecretFile = Field(
        default=None,
        description=secret_file("RECONTACT_AUTH_CLIENT_SECRET"),
    )
    auth_questions_at_once: int = Field(
        default=16,  # ours: an issuer answers in some ten milliseconds; that many are a thousand new people a second
        ge=1,
        le=1_000,
        description="Questions to the authorization server that are under way for people whom this server does not know"
        " yet: about tokens that it never saw as good, and about sign-ins. Others never wait for them. Each process"
        " counts for itself.",
    )
    auth_questions_per_second: float = Field(
        default=50.0,  # ours: tokens last for minutes, so that is thousands of people
        ge=0.1,
        le=100_000,
        allow_inf_nan=False,
        description="Such questions in a second, in the long run; after a start ten seconds' worth may come at once. Of"
        " these, and of those at once, an address that tells one client from another has at most a quarter.",
    )
    auth_leeway_seconds: float = Field(
        default=30.0,  # ours: clocks that are kept differ by less than a second; more than a minute hides a fault
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds by which the clocks of the issuer and of this machine may differ.",
    )
    access_file: Annotated[Path, AfterValidator(existing_file)] | None = Field(
        default=None,
        description="TOML file with what each principal may do, and with which credentials; read again when it"
        " changes. It must be yours, and closed to everybody else (`chmod 600`). Unset: every token's owner may do"
        " what its scopes and the other settings allow.",
    )
    freeze_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="While this file exists, all changes are refused at once, also those that were asked for before;"
        " with principals in it, one a line, only theirs.",
    )
