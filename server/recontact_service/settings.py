"""What a running service is told: where its data lies, how fast it works, and how it reads the API's open questions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

TOKEN_SECONDS = 86_400  # source: authentication page, expires_in
CAPACITY = 100_000  # source: upload rules, "Total Capacity"
FILE_BYTES_LIMIT = 5_000_000  # source: upload rules, "less than 5MB" read as 5 * 10^6: a file must stay below
UPLOAD_SECONDS_PER_10K = 750.0  # source: 10 to 15 minutes for 10,000; ours: the middle
REMOVAL_SECONDS_PER_10K = 240.0  # source: 3 to 5 minutes for 10,000; ours: the middle
CHUNK_IDS = 1_000  # ours: one slow step is small enough to interrupt, large enough to be cheap
BUSY_SECONDS = 30.0  # ours: how long to wait for a sibling's transaction; longer than any of them
SWEEP_SECONDS = 1.0  # ours: how soon a dead sibling's job is picked up
SCHEMA = "recontact_service"  # ours: beside the tables of others, whose schemas have other names
CONNECTIONS = 10  # ours: a server allows 100 by default, which ten processes may share

FILE_PART_TYPES = frozenset(
    {"", "text/csv", "text/plain", "application/csv", "application/vnd.ms-excel", "application/octet-stream"}
)


def _no_clients() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A PostgreSQL database: its URL, which may hold a password and is shown nowhere, and our schema in it.

    *connections* is the most that one process opens, at least 3: a step of a job takes two of them.
    """

    url: str = field(repr=False)
    schema: str = SCHEMA
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service's settings; the defaults are the embedded ones.

    *database* is a file of SQLite, or a database of PostgreSQL that any number of services share.
    *pace* 0 works at full speed; otherwise jobs take the documented times multiplied by it.
    *clients* maps a client id to its secret.
    """

    database: Path | Postgres
    pace: float = 0.0
    token_seconds: int = TOKEN_SECONDS
    clients: Mapping[str, str] = field(default_factory=_no_clients)
    faults_endpoint: bool = False
    capacity: int = CAPACITY
    file_bytes_limit: int = FILE_BYTES_LIMIT
    chunk_ids: int = CHUNK_IDS
    sweep_seconds: float = SWEEP_SECONDS
    busy_seconds: float = BUSY_SECONDS
    over_cap: Literal["fail_job", "refuse_request"] = "fail_job"  # assumed: nothing says where the cap is enforced
    over_cap_status: Literal[400, 409, 413] = 400  # assumed: no status is documented for it
    unsupported_version_status: Literal[400, 403] = 400  # assumed: only a missing header is documented (403)
    header_row: Literal["failed_row", "skipped"] = "failed_row"  # assumed: "must not contain a header row"
    repeated_rows: Literal["merged", "failed_rows"] = "merged"  # assumed: only "unique per line" is documented
    all_invalid: Literal["complete", "fail"] = "complete"  # assumed: a partial success with nothing stored
    empty_file: Literal["refuse_request", "complete"] = "refuse_request"  # assumed: a file without a byte is no file
    unknown_response_ids: Literal["failed_rows", "derive"] = "failed_rows"  # assumed: an unmapped RID is a failed row
    page_size_out_of_range: Literal["refuse_request", "clamp"] = "refuse_request"  # assumed: prose bounds only
    jobs_readable_on_both_upload_paths: bool = True  # assumed: the list of one path names the jobs of both
    unset_fields: Literal["absent", "null"] = "absent"  # assumed: the schemas allow no null that their examples show
    respondents_by_file_since_newest: bool = True  # assumed: operations 3 to 6 are unknown to version 2025-05-27
    file_part_types: frozenset[str] = FILE_PART_TYPES  # assumed: the declared type of the part itself, "" is none
