"""Settings of staged files."""

from pydantic import BaseModel


class StagingSettings(BaseModel):
    """How long a staged file lives, and how large it may be."""
