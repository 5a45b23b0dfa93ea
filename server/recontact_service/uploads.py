"""Receive a multipart upload: in memory, bounded, exactly one file."""

from collections.abc import AsyncGenerator

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from recontact_service.problems import bad_parameter, too_large, unsupported_media_type
from recontact_service.settings import ServiceSettings

_FORM_BYTES = 16_384  # ours: room for boundaries, part headers and a few small fields around the file
_FIELDS_MAX = 10  # ours: the form has one


class _InMemoryParser(MultiPartParser):
    """Never let respondent IDs reach a temporary file."""

    spool_max_size = 2**26  # ours: far above any body we read


async def receive_file(receive: Receive, headers: dict[str, str], *, settings: ServiceSettings) -> tuple[str, bytes]:
    """Read the part `file` of a multipart body: its name as sent ("" without one) and its bytes.

    Raises:
        Problem: 413 once the body is too large, 415 for another content type, 400 for another form.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise unsupported_media_type()
    limit = settings.file_bytes_limit + _FORM_BYTES
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large()
    parser = _InMemoryParser(Headers(headers), _bounded(receive, limit=limit), max_files=2, max_fields=_FIELDS_MAX)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError):
        raise bad_parameter("file", "the multipart form cannot be read") from None
    try:
        return await _one_file(form, settings=settings)
    finally:
        await form.close()


async def _one_file(form: FormData, *, settings: ServiceSettings) -> tuple[str, bytes]:
    parts = form.getlist("file")
    if len(parts) != 1:
        raise bad_parameter("file", "exactly one file is required")
    part = parts[0]
    if not isinstance(part, UploadFile):
        raise bad_parameter("file", "must be a file")
    if (part.content_type or "").partition(";")[0].strip().lower() not in settings.file_part_types:
        raise unsupported_media_type()
    content = await part.read()
    if len(content) >= settings.file_bytes_limit:
        raise too_large()
    if not content and settings.empty_file == "refuse_request":
        raise bad_parameter("file", "must not be empty")
    return part.filename or "", content


async def _bounded(receive: Receive, *, limit: int) -> AsyncGenerator[bytes]:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        size += len(body)
        if size > limit:
            raise too_large()
        yield body
        if not message.get("more_body", False):
            return
