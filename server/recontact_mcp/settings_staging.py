"""Settings of staged files."""

from pydantic import BaseModel, Field

STAGED_BYTES_MAX = 4_999_999  # source: upload-rsids-by-file, "smaller than 5 MB"


class StagingSettings(BaseModel):
    """How long a staged file lives, and how large it may be."""

    staged_seconds: float = Field(
        # ours: long enough to find the file and answer a question, short enough for personal data that may be forgotten
        default=900.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which the address of `stage_upload` and a file that was sent there are of no more"
        " use; the file is deleted then, or as soon as it was used.",
    )
    staged_bytes: int = Field(
        default=STAGED_BYTES_MAX,  # ours: the API takes no more
        ge=1,
        le=STAGED_BYTES_MAX,
        description="Most bytes of a file that is sent to the address of `stage_upload`.",
    )
