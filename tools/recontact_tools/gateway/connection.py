"""Where the API is, who we are to it, and how long we wait."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connection:
    """Hold what it takes to reach one API host; times are in seconds.

    *connect_seconds* to *write_seconds* bound single steps of an exchange and *exchange_seconds* the whole of
    it. *retry_seconds* bounds a whole read, with its token and all its attempts; of a start of a job it bounds
    each fetch of a token, never the request that starts the job.
    """

    base_url: str  # source: cint-api.md section 1, "https://api.cint.com/v1"
    token_url: str  # source: cint-api.md section 2.1, "https://auth.cint.com/oauth/token"
    client_id: str
    client_secret: str = field(repr=False)
    api_version: str = "2025-12-18"  # source: cint-api.md section 1
    audience: str = "https://api.luc.id"  # source: cint-api.md section 2.1
    auth_scopes: str = "app:api"  # source: cint-api.md section 2.1
    connect_seconds: float = 5.0  # ours: slower is an outage; four attempts and their pauses take 24 s at most
    read_seconds: float = 12.0  # ours: silence in a read; asking again, on a new connection, still fits in
    start_read_seconds: float = 30.0  # ours: silence after a start, whose answer cannot be asked for again
    write_seconds: float = 60.0  # ours: 5 MB over a slow uplink
    exchange_seconds: float = 120.0  # ours: a dripping answer never times out step by step
    reads_retried: int = 4  # ours: attempts of one read, the first included
    retry_seconds: float = 30.0  # ours: hosts give a tool call up at 60 s, and some calls need two reads
    ca_bundle: str | None = None  # path of a PEM file, trusted in addition to what is trusted anyway
    proxy: str | None = field(default=None, repr=False)  # URL; may carry a password. None leaves it to the environment
    requests_at_once: int | None = None  # per account; None does not limit, as within one process
    requests_per_second: float | None = None  # per account; None does not limit
    # Exchanges without a usable answer in a row, after which nothing is sent for a while.
    circuit_failures: int | None = None  # None: circuit.FAILURES over the network, no circuit within one process
    circuit_seconds: float = 15.0  # ours: how long nothing is sent then; one request looks whether it has healed
    # Reads the secret when a token is fetched, in place of client_secret; read again once it was refused.
    secret_source: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)
