"""Where the identifiers of an upload come from, read and cleaned: a file here, a staged one, or a short list."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypedDict

import anyio
import anyio.to_thread
from pydantic import Field

from recontact_tools.errors import NotAllowed
from recontact_tools.file_door import read_confined
from recontact_tools.guardrails import FromIds, FromTicket, check_one_source
from recontact_tools.identifiers import RAW_BYTES_MAX, RespondentFile, read_identifiers, read_inline
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.results import DroppedLines
from recontact_tools.runtime import Runtime
from recontact_tools.staged import Source, open_ticket, ticket_not_valid

SourcePath = Annotated[str | None, Field(description="CSV or TXT file on this machine, under an allowed folder.")]
SourceTicket = Annotated[str | None, Field(description="From stage_upload.")]
SourceIds = Annotated[list[str] | None, Field(description="Instead of a file: at most 1,000 IDs.")]
SourceIdType = Annotated[Literal["RSID", "RID"], Field(description="RSID: respondent ids; RID: response ids.")]
SourceColumn = Annotated[str | None, Field(description="Header name or number of the ID column, if not found.")]


@dataclass(frozen=True, slots=True)
class Given:
    """What a call says about its identifiers, for the tool that it calls."""

    tool: str
    path: str | None
    ids: list[str] | None
    ticket: str | None
    id_type: IdType
    column: str | None
    key: str | None = None

    @property
    def wish(self) -> tuple[str, ...]:
        """All that makes the same ticket another wish."""
        return (self.tool, self.id_type.value, self.column or "", self.key or "")


class SourceFields(TypedDict):
    """The fields that every answer about a source shares."""

    lines_read: int
    column: str | None
    dropped: list[DroppedLines]
    hints: list[str]


async def read_source(runtime: Runtime, group: TargetGroup, given: Given) -> Source:
    """Read the one source that was given, and return what of it would be sent.

    Raises:
        InvalidInput: There is no source or more than one, or it cannot be read, is too large or holds no IDs; or its
            ticket cannot be used.
        NotAllowed: Files of this machine are not read over this connection.
        Unreachable: The key of staged files cannot be used.
    """
    local = runtime.rules.local_files
    source = check_one_source(path=given.path, ids=given.ids, ticket=given.ticket, local_files=local)
    if isinstance(source, FromIds):
        return Source(read_inline(source.ids, local_files=local))
    if isinstance(source, FromTicket):
        if local:
            raise ticket_not_valid()
        return await open_ticket(
            runtime,
            group,
            source.ticket,
            wish=given.wish,
            column=given.column,
            id_type=given.id_type,
        )
    if not local:
        raise not_read_from_here()
    roots = runtime.rules.upload_roots
    return Source(await anyio.to_thread.run_sync(_read_file, roots, source.path, given.column, given.id_type))


def not_read_from_here() -> NotAllowed:
    """Refuse a path where the server is not on the machine of its clients."""
    return NotAllowed(
        "Files are not read from the server's machine over this connection.",
        next_step="Call stage_upload and let the user upload the file; or pass at most 1,000 IDs in `ids`.",
    )


async def used_up(runtime: Runtime, source: Source) -> None:
    """Delete the staged file of a source, now that what it was for has begun; what it was is in the ledger."""
    if source.spending is not None:
        with anyio.CancelScope(shield=True):
            await runtime.ledger.tickets.empty(source.spending.ticket_id, now=runtime.clock.now())


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
