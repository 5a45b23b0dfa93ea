"""Reading identifier files: bytes in, a `RespondentFile` out, with an account of what was dropped."""

from recontact_tools.identifiers.arriving import Arriving
from recontact_tools.identifiers.reading import read_identifiers, read_inline
from recontact_tools.identifiers.respondent_file import (
    FILE_BYTES_MAX,
    IDS_MAX,
    INLINE_IDS_MAX,
    RAW_BYTES_MAX,
    Dropped,
    RespondentFile,
    report,
)

__all__ = [
    "FILE_BYTES_MAX",
    "IDS_MAX",
    "INLINE_IDS_MAX",
    "RAW_BYTES_MAX",
    "Arriving",
    "Dropped",
    "RespondentFile",
    "read_identifiers",
    "read_inline",
    "report",
]
