"""What the operator decides: every setting, its limits and its default."""

# pydantic-settings would add 40 to 70 ms to every cold start over stdio (measured: its command-line, dotenv
# and cloud sources are imported whether or not they are used), so the few lines it would save are here.

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from recontact_mcp.settings_approval import ApprovalSettings
from recontact_mcp.settings_auth import AuthSettings
from recontact_mcp.settings_cint import EMBEDDED_ACCOUNT_ID, EMBEDDED_PROJECT_ID, CintSettings, Ulid
from recontact_mcp.settings_database import DatabaseSettings
from recontact_mcp.settings_http import HttpSettings
from recontact_mcp.settings_staging import StagingSettings
from recontact_mcp.settings_values import (
    SecretFile,
    absolute,
    account_ids,
    key_bytes,
    roots,
    sealing_key,
    secret_file,
    ulids,
    upper,
)

RECONTACT_TEMPLATE_ID = "01JH0PEGPC4Z8RDD304E2SF0EW"  # source: cint-api.md section 3.1, step 3


def variable(field: str) -> str:
    """Return the environment variable of a field of `Settings`."""
    return field.upper() if field.startswith("cint_") else f"RECONTACT_{field.upper()}"


def default_data_dir() -> Path:
    """Return the directory for application data on this system."""
    # Imported here: a start that names its data directory does not pay for it.
    from platformdirs import user_data_path  # noqa: PLC0415 (the reason is the line above)

    return user_data_path("recontact-mcp", appauthor=False)


class Settings(CintSettings, DatabaseSettings, HttpSettings, AuthSettings, StagingSettings, ApprovalSettings):
    """Everything the operator decides; a client can change none of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Annotated[Path, AfterValidator(absolute)] = Field(
        default_factory=default_data_dir,
        description="Directory for everything kept between starts. Default: `recontact-mcp` in the system's"
        " place for application data.",
    )
    upload_roots: Annotated[tuple[Path, ...], BeforeValidator(roots)] = Field(
        default=(),
        description="Directories that `path` uploads may read from, separated by the system's path separator;"
        " `~` is expanded. Default: none, so no local file can be read.",
    )
    read_only: bool = Field(default=False, description="Refuse every upload and removal.")
    allowed_accounts: Annotated[frozenset[int] | None, BeforeValidator(account_ids)] = Field(
        default=None,
        description="Accounts that may be used, separated by commas. Unset: all; set but empty: none.",
    )
    allowed_projects: Annotated[frozenset[str] | None, BeforeValidator(ulids)] = Field(
        default=None,
        description="Projects that may be used, separated by commas. Unset: all; set but empty: none.",
    )
    allowed_target_groups: Annotated[frozenset[str] | None, BeforeValidator(ulids)] = Field(
        default=None,
        description="Target groups that may be used, separated by commas. Unset: all; set but empty: none.",
    )
    pace: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Pace of the embedded service: 0 is full speed, 1 the documented times of the API.",
    )
    confirm_seconds: float = Field(
        # ours: hosts give a call up after about 60 s; the refusal must still reach them.
        default=50.0,
        gt=0,
        le=3_600,
        allow_inf_nan=False,
        description="Seconds a call of a 2025 client waits for the confirmation phrase of a removal. With clients of"
        " 2026-07-28 no call waits: there the plan's seconds are the limit.",
    )
    plan_seconds: float = Field(
        # ours: long enough to ask a colleague, short enough that the count still means something.
        default=600.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds for which the plan of a removal may be confirmed.",
    )
    compare_pages: int = Field(
        # ours: 25,000 IDs, half a minute at the default rate; more would crowd out everything else on the account.
        default=250,
        ge=0,
        le=1_000,
        description="Pages of 100 stored IDs that one comparison may read at Cint (`preview_upload`, what an upload"
        " did not store). The embedded service has no such limit.",
    )
    snapshot_days: float = Field(
        default=30.0,  # ours: a survey is in the field for weeks, and who removed by mistake may notice at its end
        gt=0,
        le=3_650,
        allow_inf_nan=False,
        description="Days for which the snapshot taken before a removal is kept; then it is deleted.",
    )
    snapshot_key: Annotated[SecretStr, AfterValidator(sealing_key)] | None = Field(
        default=None,
        description="Key of the snapshots, 32 bytes in base64. Unset: the file `snapshots.key` in the data directory,"
        " which is made when the first snapshot is taken.",
    )
    snapshot_key_file: SecretFile = Field(
        default=None,
        description=secret_file("RECONTACT_SNAPSHOT_KEY"),
    )
    template_id: Ulid = Field(
        default=RECONTACT_TEMPLATE_ID,
        description="Allocation template that `check_recontact_readiness` expects. Default: Cint's Recontact template.",
    )
    tasks: bool = Field(
        default=True,
        description="Answer clients that declare the Tasks extension with a task for each job they start.",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(upper)] = Field(
        default="INFO", description="Least severe log record to write: DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log on stderr: `text`, or `json` for one object a line."
    )

    @property
    def embedded(self) -> bool:
        """Whether the embedded service is used: no client id was given."""
        return self.cint_client_id is None

    @property
    def home(self) -> Path:
        """The directory of what was started and planned: one for each API, for no other must be sent to.

        Servers that share a data directory share their work only when they talk to the same API as the same client.
        """
        if self.embedded:
            return self.data_dir
        told = f"{self.cint_base_url}|{self.cint_auth_url}|{self.cint_client_id}"
        return self.data_dir / f"api-{sha256(told.encode()).hexdigest()[:16]}"

    @property
    def namespace(self) -> str:
        """The PostgreSQL schema of what was started and planned: one for each API, as `home` is."""
        return "recontact" if self.embedded else f"recontact_{self.home.name.replace('-', '_')}"

    @property
    def snapshot_key_bytes(self) -> bytes | None:
        """The key of the snapshots, where one is configured."""
        return key_bytes(self.snapshot_key.get_secret_value()) if self.snapshot_key else None

    @property
    def account_id(self) -> int | None:
        """The account of a call that names none."""
        return self.cint_account_id or (EMBEDDED_ACCOUNT_ID if self.embedded else None)

    @property
    def project_id(self) -> str | None:
        """The project of a call that names none."""
        return self.cint_project_id or (EMBEDDED_PROJECT_ID if self.embedded else None)

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        given = self.model_fields_set
        urls = given & {"cint_base_url", "cint_auth_url"}
        if (self.cint_client_id is None) != (self.cint_client_secret is None):
            raise ValueError(
                "CINT_CLIENT_ID and CINT_CLIENT_SECRET belong together: set both or neither."
                " CINT_CLIENT_SECRET_FILE names a file with the secret."
            )
        if urls and self.embedded:
            raise ValueError(
                f"{variable(min(urls))} is set but CINT_CLIENT_ID is not: add the credentials of that"
                " service, or unset it to use the embedded one."
            )
        # The secret goes to one host and the token to the other: never mix a sandbox with Cint.
        if len(urls) == 1:
            raise ValueError("CINT_BASE_URL and CINT_AUTH_URL belong together: set both or neither.")
        if (self.approval_client_id is None) != (self.approval_client_secret is None):
            raise ValueError(
                "RECONTACT_APPROVAL_CLIENT_ID and RECONTACT_APPROVAL_CLIENT_SECRET belong together: set both or"
                " neither."
            )
        if self.approval_passkey != "off" and self.approval_client_id is None:
            raise ValueError(
                "RECONTACT_APPROVAL_PASSKEY needs RECONTACT_APPROVAL_CLIENT_ID: passkeys are of people who sign in."
            )
        if self.approval_two_person and not self.approval_approvers:
            raise ValueError(
                "RECONTACT_APPROVAL_TWO_PERSON needs RECONTACT_APPROVAL_APPROVERS: without one nobody could approve."
            )
        return self
