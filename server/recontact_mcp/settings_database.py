"""Settings of the database: none is needed on one machine."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from recontact_mcp.settings_addresses import postgres_url
from recontact_mcp.settings_values import SecretFile, secret_file


class DatabaseSettings(BaseModel):
    """Where what is kept lies, beyond the data directory."""

    database_url: Annotated[SecretStr, AfterValidator(postgres_url)] | None = Field(
        default=None,
        description="PostgreSQL for everything that is kept, `postgresql://user:password@host/name`, shared by any"
        " number of servers, each of which takes ten connections at most; they need one `RECONTACT_SNAPSHOT_KEY`. No"
        " pooler that changes sessions may stand before it. Unset: SQLite files in the data directory.",
    )
    database_url_file: SecretFile = Field(
        default=None,
        description=secret_file("RECONTACT_DATABASE_URL"),
    )
