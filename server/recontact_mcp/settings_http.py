"""Settings of the HTTP server."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from recontact_mcp.settings_addresses import hosts, listening_address, networks, origins, root_url
from recontact_mcp.settings_values import SecretFile, key_bytes, keys, secret_file


class HttpSettings(BaseModel):
    """How clients reach the server over HTTP, and how much each may ask of it."""

    public_url: Annotated[str, AfterValidator(root_url)] | None = Field(
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
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(networks)] = Field(
        default=(),  # ours: whoever may write X-Forwarded-For chooses whose limits count
        description="Addresses or networks (`10.0.0.0/8`) of the proxies whose `X-Forwarded-*` headers are believed,"
        " separated by commas. Unset: none.",
    )
    metrics_address: Annotated[str, AfterValidator(listening_address)] | None = Field(
        default=None,  # ours: they tell how busy a company is; where they listen is for the operator to say
        description="Where `/metrics` is served for Prometheus, beside `/livez` and `/readyz`: `host:port`, a port of"
        " their own that no client needs to reach. Unset: nowhere.",
    )
    http_body_bytes: int = Field(
        default=4_194_304,  # ours: the SDK's own limit; the longest call of ours has 500 kB
        ge=65_536,
        le=67_108_864,
        description="Largest body of a request to `/mcp`, in bytes.",
    )
    http_connections: int = Field(
        default=1_000,  # ours: a process may open 1,024 files on many systems
        ge=10,
        le=100_000,
        description="Most connections at the same time; each listening client holds one.",
    )
    http_connections_per_peer: int = Field(
        default=256,  # ours: a busy client has dozens; one address must not take all of them
        ge=1,
        le=100_000,
        description="Most connections from one address at the same time; trusted proxies are exempt.",
    )
    http_sessions: int = Field(
        default=2_000,  # ours: a session of 2025 holds some 100 kB
        ge=1,
        le=100_000,
        description="Most sessions of 2025 clients at the same time.",
    )
    http_sessions_per_caller: int = Field(
        default=100,  # ours: one person has a handful of chats; one account may serve a team
        ge=0,
        le=100_000,
        description="Most sessions of 2025 clients that one caller may have; 0 does not limit.",
    )
    http_session_idle_seconds: float = Field(
        default=1_800.0,  # ours: the SDK's own; a chat that is taken up later connects again by itself
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which a session of a 2025 client that asks for nothing is ended.",
    )
    http_failures_per_minute: float = Field(
        default=60.0,  # ours: a client that repeats a token that is over fails every five seconds
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        description="Requests that one address may make in a minute that do not show that they may be made: with a"
        " token that is none, a link that was used, an address of a file that nobody was given; 0 does not limit. Who"
        " has shown it is not counted, nor is an address from which somebody has within an hour, nor a private one that"
        " no trusted proxy named: a balancer may stand there.",
    )
    calls_per_second: float = Field(
        default=100.0,  # ours: ten agents at full speed; each process counts for itself
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        description="Requests that one caller may send in a second, twice as many in a burst; 0 does not limit. A"
        " caller is a principal, or an address where no authorization is configured. Each process counts for itself.",
    )
    calls_at_once: int = Field(
        default=64,  # ours: a wait of 45 s counts as a call, and one account may follow dozens of jobs
        ge=0,
        le=100_000,
        description="Requests that one caller may have under way; 0 does not limit. A wait for a job is one.",
    )
    linger_seconds: float = Field(
        default=0.0,  # ours: without a balancer nobody would notice, and a person who stops a server waits
        ge=0,
        le=60,
        allow_inf_nan=False,
        description="Seconds for which a server that was told to stop (SIGTERM) still takes requests while `/readyz`"
        " says 503: as long as the balancer needs to notice. 5 is usual behind one.",
    )
    shutdown_seconds: int = Field(
        default=20,  # ours: with the lingering, and 5 s of the engine, less than the 30 s after which platforms kill
        ge=1,
        le=3_600,
        description="Seconds that requests under way may take to end after that; waits for jobs end at once.",
    )
    state_key: Annotated[SecretStr, AfterValidator(keys)] | None = Field(
        default=None,
        description="Key that seals what a client carries from one round of a question to the next, 32 bytes in base64;"
        " the same for every server behind one address. Several, separated by commas: the first one seals, all open."
        " Unset: one from the database that the servers share, or of this process alone.",
    )
    state_key_file: SecretFile = Field(
        default=None,
        description=secret_file("RECONTACT_STATE_KEY"),
    )

    @property
    def state_keys(self) -> tuple[bytes, ...]:
        """The keys of what clients carry between rounds, where they are configured; the first one seals."""
        if self.state_key is None:
            return ()
        return tuple(key_bytes(key) for key in self.state_key.get_secret_value().split(","))
