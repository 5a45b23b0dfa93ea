"""What a failed call or read was about, so that it can be explained; taken from what the client wrote."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from mcp.server.mcpserver import Context

from recontact_mcp.opening import Opening
from recontact_tools.errors import NotFound, NotPermitted, RecontactError
from recontact_tools.explaining import Subject, explained
from recontact_tools.models import JobKind
from recontact_tools.runtime import Runtime

Asking: TypeAlias = Context[Opening, Any] | None

_JOB = re.compile(r"/(upload|removal)-jobs/([^/]+)")


async def explained_call(
    error: RecontactError, name: str, arguments: Mapping[str, Any], context: Asking
) -> RecontactError:
    """Return the error of a tool call, with more about it if the API knows something that the caller does not."""
    if context is None or not isinstance(error, NotFound | NotPermitted):
        return error
    return await explained(await _runtime(context), error, subject_of_call(name, arguments))


async def explained_read(error: BaseException | None, uri: str, context: Asking) -> BaseException | None:
    """Return what the reading of a resource raised, with more about it as for a call."""
    if context is None or not isinstance(error, NotFound | NotPermitted):
        return error
    return await explained(await _runtime(context), error, subject_of_uri(uri))


def subject_of_call(name: str, arguments: Mapping[str, Any]) -> Subject:
    """Return what a call of a tool was about; its arguments have passed the tool's schema."""
    account = arguments.get("account_id")
    return Subject(
        target_group_id=arguments["target_group_id"],
        project_id=arguments.get("project_id"),
        account_id=None if account is None else int(float(account)),  # the schema takes "101" and 101.0 too
        job_id=arguments.get("job_id") or arguments.get("upload_job_id"),
        kind=JobKind.REMOVAL if "removal" in name else JobKind.UPLOAD,
    )


def subject_of_uri(uri: str) -> Subject:
    """Return what the reading of one of our resources was about; the URI is read as a pasted one is."""
    job = _JOB.search(uri)
    if job is None:
        return Subject(uri)
    return Subject(uri, job_id=unquote(job[2]), kind=JobKind(job[1]))


async def _runtime(context: Context[Opening, Any]) -> Runtime:
    return await context.request_context.lifespan_context.runtime()
