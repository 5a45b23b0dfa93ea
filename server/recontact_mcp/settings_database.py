"""Settings of the database: none is needed on one machine."""

from pydantic import BaseModel, Field, SecretStr


class DatabaseSettings(BaseModel):
    """Where what is kept lies, beyond the data directory."""

    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL for everything that is kept, `postgresql://user:password@host/name`, shared by any"
        " number of servers. Unset: SQLite files in the data directory.",
    )
