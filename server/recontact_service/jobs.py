"""The operations that create jobs."""

from functools import partial

from anyio import to_thread

from recontact_service.lines import read_lines
from recontact_service.problems import Answer, Problem, as_json, bad_parameter, conflict
from recontact_service.requests import Request, group_of, query_of, trace_of
from recontact_service.store import JobAlreadyProcessing, reading
from recontact_service.uploads import receive_file
from recontact_service.values import JobKind, NewJob, StoredGroup, Upload

_BY_RESPONSE_ID = {"RSID": False, "RESPONDENT_ID": False, "RID": True, "RESPONSE_ID": True}


async def upload_rsids(request: Request) -> Answer:
    """Start an upload of respondent IDs."""
    return await _upload(request, kind=JobKind.UPLOAD_RSIDS, by_response_id=False)


async def upload_respondents(request: Request) -> Answer:
    """Start an upload of the identifiers that entity_type names."""
    entity_type = query_of(request).get("entity_type", "")
    if entity_type not in _BY_RESPONSE_ID:
        raise bad_parameter("entity_type", "must be RSID, RESPONDENT_ID, RID or RESPONSE_ID")
    return await _upload(request, kind=JobKind.UPLOAD_RESPONDENTS, by_response_id=_BY_RESPONSE_ID[entity_type])


async def remove_all_rsids(request: Request) -> Answer:
    """Start the removal of every respondent ID."""
    return await _create(request, await _group_of(request), kind=JobKind.REMOVE_ALL, upload=None)


async def _group_of(request: Request) -> StoredGroup:
    return await reading(request.parts.store, partial(group_of, request))


async def _upload(request: Request, *, kind: JobKind, by_response_id: bool) -> Answer:
    group = await _group_of(request)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()}
    name, content = await receive_file(request.receive, headers, settings=request.parts.settings)
    if request.parts.settings.over_cap == "refuse_request" and not by_response_id:
        await _refuse_over_capacity(request, group, content)
    upload = Upload(file_name=name, content=content, by_response_id=by_response_id)
    return await _create(request, group, kind=kind, upload=upload)


async def _refuse_over_capacity(request: Request, group: StoredGroup, content: bytes) -> None:
    parts = request.parts
    ids = (await to_thread.run_sync(partial(read_lines, content))).ids
    count = await to_thread.run_sync(partial(parts.store.count_union, group.number, ids))
    if count > parts.settings.capacity:
        reason = f"the total number of respondent IDs cannot exceed {parts.settings.capacity}"
        kind = {400: "bad_request_error", 409: "conflict_error", 413: "content_too_large_error"}
        status = parts.settings.over_cap_status
        raise Problem(status, kind[status], reason, (("file", reason),))


async def _create(request: Request, group: StoredGroup, *, kind: JobKind, upload: Upload | None) -> Answer:
    parts = request.parts
    job = NewJob(
        job_id=parts.new_id(),
        kind=kind,
        created_at=parts.now(),
        created_by=request.caller.user_id,
        trace_id=trace_of(request.headers, new_uuid=parts.new_uuid),
        upload=upload,
    )
    try:
        await to_thread.run_sync(partial(parts.store.create_job, group.number, job))
    except JobAlreadyProcessing:
        raise conflict() from None
    parts.runner.wake()
    return as_json({"job_id": job.job_id}, 201)
