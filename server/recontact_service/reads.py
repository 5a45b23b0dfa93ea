"""The reading operations: overview, respondent IDs, jobs, the uploaded file."""

import re
from datetime import datetime
from functools import partial

from anyio import to_thread

from recontact_service.cursors import key_cursor, read_key_cursor
from recontact_service.pages import rsid_page, with_cursor
from recontact_service.problems import Answer, as_json, bad_parameter, not_found
from recontact_service.requests import Request, group_of, page_size_of, query_of
from recontact_service.store import reading
from recontact_service.values import Ending, Job, JobKind, JobStatus, Json

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_FILE_NAME_MAX = 255  # ours: what file systems take
_UPLOADS = frozenset({JobKind.UPLOAD_RSIDS, JobKind.UPLOAD_RESPONDENTS})


def get_recontacts_overview(request: Request) -> Answer:
    """Answer the number of stored respondent IDs."""
    return as_json({"saved_respondent_ids_count": group_of(request).saved})


def list_rsids(request: Request) -> Answer:
    """Answer a page of respondent IDs in ascending order."""
    group = group_of(request).number
    query, settings = query_of(request), request.parts.settings
    data, following = rsid_page(
        request.route.target_group_id,
        query,
        page_size_of(query, settings),
        forwards=lambda after, many: request.parts.store.read_page(group, after=after, limit=many),
        backwards=lambda before, many: request.parts.store.read_page_before(group, before=before, limit=many),
    )
    shown: dict[str, Json] = {"data": data, "url": f"{request.route.group_path}/recontacts/rsids"}
    return as_json(with_cursor(shown, following, settings=settings))


def get_upload_job(request: Request, *, kind: JobKind) -> Answer:
    """Answer an upload job."""
    kinds = _UPLOADS if request.parts.settings.jobs_readable_on_both_upload_paths else {kind}
    job = _find(request, kinds)
    ending = job.ending or Ending(JobStatus.PROCESSING)
    partial_success: Json = {"description": ending.partial} if ending.partial else None
    return as_json({**_describe(job, request), "partial_success_reason": partial_success})


def get_removal_job(request: Request) -> Answer:
    """Answer a removal job."""
    return as_json(_describe(_find(request, {JobKind.REMOVE_ALL}), request))


def list_upload_jobs(request: Request) -> Answer:
    """Answer a page of upload jobs, newest first."""
    group = group_of(request).number
    query = query_of(request)
    limit = page_size_of(query, request.parts.settings)
    after = query.get("start_after")
    if after is not None:
        after = read_key_cursor(after, name="start_after")
        if request.parts.store.find_job(group, after) is None:
            raise bad_parameter("start_after", "is not a pagination cursor of this list")
    jobs = request.parts.store.list_uploads(group, after=after, limit=limit + 1)
    shown = jobs[:limit]
    data: list[Json] = [
        {
            "job_id": job.job_id,
            "file_name": job.file_name or fallback_name(job),
            "status": job.status.value,
            "created_at": timestamp(job.created_at),
            "created_by": job.created_by,
        }
        for job in shown
    ]
    return as_json({"data": data, "next_cursor": key_cursor(shown[-1].job_id) if len(jobs) > limit else None})


async def download_file(request: Request) -> Answer:
    """Answer the file of an upload job as it came, under a safe name."""
    job = await reading(request.parts.store, partial(_find, request, _UPLOADS))
    upload = await to_thread.run_sync(partial(request.parts.store.read_upload, job.job_id))
    safe = _UNSAFE.sub("_", job.file_name)[:_FILE_NAME_MAX]
    name = safe if safe.strip("._") else fallback_name(job)
    return Answer(
        200,
        upload.content,
        (
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ),
    )


def fallback_name(job: Job) -> str:
    """Name a file that came without a usable name after its place in our storage."""
    return f"{job.job_id}.txt"


def timestamp(moment: datetime) -> str:
    """Write a time as the API does: UTC with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _find(request: Request, kinds: "frozenset[JobKind] | set[JobKind]") -> Job:
    job = request.parts.store.find_job(group_of(request).number, request.route.job_id)
    if job is None or job.kind not in kinds:
        raise not_found()
    return job


def _describe(job: Job, request: Request) -> dict[str, Json]:
    ending = job.ending or Ending(JobStatus.PROCESSING)
    failure: Json = None
    if ending.failure_code is not None:
        failure = {"code": ending.failure_code, "description": ending.failure_description}
    shown: dict[str, Json] = {
        "job_id": job.job_id,
        "created_at": timestamp(job.created_at),
        "created_by": job.created_by,
        "status": job.status.value,
        "completed_at": timestamp(job.completed_at) if job.completed_at else None,
        "failure_reason": failure,
    }
    if job.status is JobStatus.FAILED:
        return {**shown, "job_trace_id": job.trace_id}
    return shown if request.parts.settings.unset_fields == "absent" else {**shown, "job_trace_id": None}
