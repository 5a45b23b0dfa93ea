"""Where the identifiers of an upload come from, read and cleaned: a file on this machine, or a short list."""

from pathlib import Path
from typing import Annotated, Literal, TypedDict

import anyio.to_thread
from pydantic import Field

from recontact_tools.errors import NotAllowed
from recontact_tools.file_door import read_confined
from recontact_tools.guardrails import FromIds, check_one_source
from recontact_tools.identifiers import RAW_BYTES_MAX, RespondentFile, read_identifiers, read_inline
from recontact_tools.models import IdType
from recontact_tools.results import DroppedLines
from recontact_tools.runtime import Runtime

SourcePath = Annotated[str | None, Field(description="CSV or TXT file on this machine, under an allowed folder.")]
SourceIds = Annotated[list[str] | None, Field(description="Instead of path: at most 1,000 IDs.")]
SourceIdType = Annotated[Literal["RSID", "RID"], Field(description="RSID: respondent ids; RID: response ids.")]
SourceColumn = Annotated[str | None, Field(description="Header name or number of the ID column, if not found.")]


class SourceFields(TypedDict):
    """The fields that every answer about a source shares."""

    lines_read: int
    column: str | None
    dropped: list[DroppedLines]
    hints: list[str]


async def read_source(
    runtime: Runtime, path: str | None, ids: list[str] | None, *, column: str | None, id_type: IdType
) -> RespondentFile:
    """Read the one source that was given, and return what of it would be sent.

    Raises:
        InvalidInput: There is no source or more than one, or it cannot be read, is too large or holds no IDs.
        NotAllowed: Files of this machine are not read over this connection.
    """
    source = check_one_source(path=path, ids=ids)
    if isinstance(source, FromIds):
        return read_inline(source.ids)
    if not runtime.rules.local_files:
        raise NotAllowed(
            "Files are not read from the server's machine over this connection.",
            next_step="Pass at most 1,000 IDs in `ids`, or upload from a client that runs the server itself.",
        )
    return await anyio.to_thread.run_sync(_read_file, runtime.rules.upload_roots, source.path, column, id_type)


def source_fields(file: RespondentFile) -> SourceFields:
    """Tell what became of the lines of a source."""
    return SourceFields(
        lines_read=file.lines,
        column=file.column,
        dropped=[DroppedLines(kind=drop.kind, count=drop.count, lines=list(drop.lines)) for drop in file.dropped],
        hints=list(file.hints),
    )


def _read_file(roots: tuple[Path, ...], path: str, column: str | None, id_type: IdType) -> RespondentFile:
    data = read_confined(path, roots=roots, bytes_max=RAW_BYTES_MAX)
    return read_identifiers(data, column=column, id_type=id_type)
