"""The ASGI application: a request falls through faults, token, version and path to one operation."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from recontact_service import allocations, control, exclusions, jobs, oauth, reads, target_groups
from recontact_service.faults import FaultKind, Faults, answer_after, answer_instead
from recontact_service.operations import TRACED, Operation
from recontact_service.problems import Answer, Problem, internal_error, not_found
from recontact_service.requests import Handler, Parts, Request, trace_of
from recontact_service.routes import Route, check_path, find_route
from recontact_service.settings import ServiceSettings
from recontact_service.store import StoreFault, reading
from recontact_service.values import JobKind
from recontact_service.versions import VERSIONS, Version

logger = logging.getLogger(__name__)

_HANDLERS: Mapping[Operation, Handler] = {
    Operation.UPLOAD_RSIDS: jobs.upload_rsids,
    Operation.UPLOAD_RESPONDENTS: jobs.upload_respondents,
    Operation.REMOVE_ALL: jobs.remove_all_rsids,
    Operation.DOWNLOAD: reads.download_file,
    Operation.GET_EXCLUSIONS_OVERVIEW: exclusions.get_overview,
    Operation.LIST_PROJECT_EXCLUSIONS: exclusions.list_of_project,
    Operation.LIST_EXCLUSION_GROUP_MEMBERS: exclusions.list_members,
}
# What only makes point reads, and runs as a whole where the store answers them.
_READS: Mapping[Operation, Callable[[Request], Answer]] = {
    Operation.GET_RSIDS_UPLOAD: partial(reads.get_upload_job, kind=JobKind.UPLOAD_RSIDS),
    Operation.GET_RESPONDENTS_UPLOAD: partial(reads.get_upload_job, kind=JobKind.UPLOAD_RESPONDENTS),
    Operation.GET_REMOVAL: reads.get_removal_job,
    Operation.LIST_UPLOADS: reads.list_upload_jobs,
    Operation.OVERVIEW: reads.get_recontacts_overview,
    Operation.LIST_RSIDS: reads.list_rsids,
    Operation.GET_TARGET_GROUP: target_groups.get_target_group,
    Operation.GET_DETAILS: target_groups.get_details,
    Operation.GET_OVERVIEW: target_groups.get_overview,
    Operation.GET_OVERVIEW_BY_ID: target_groups.get_overview_by_id,
    Operation.LIST_FIELDING_RUNS: target_groups.list_fielding_runs,
    Operation.LIST_PROFILES: target_groups.list_profiles,
    Operation.LIST_STUDY_TYPES: target_groups.list_study_types,
    Operation.GET_ALLOCATIONS: allocations.get_allocations,
    Operation.LIST_TEMPLATES: allocations.list_templates,
    Operation.GET_TEMPLATE: allocations.get_template,
    Operation.GET_TEMPLATE_OF_UNIT: allocations.get_template_of_unit,
    Operation.GET_EXCLUSION_POLICY: exclusions.get_policy,
    Operation.GET_ACTIVITY_EXCLUSIONS: exclusions.get_activity_exclusions,
    Operation.LIST_EXCLUDED_RSIDS: exclusions.list_rsids,
    Operation.LIST_EXCLUSION_GROUPS: exclusions.list_groups,
}


class Served(Protocol):
    """What the application needs of a running service."""

    @property
    def parts(self) -> Parts:
        """The parts that operations work with."""
        ...

    @property
    def faults(self) -> Faults:
        """The scripted faults."""
        ...


def create_app(service: Served) -> ASGIApp:
    """Build the ASGI application of a running service."""
    parts, faults = service.parts, service.faults

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        try:
            answer = await _answer(scope, receive, parts=parts, faults=faults)
        except Problem as problem:
            answer = problem.envelope(parts.new_uuid())
        except StoreFault as fault:
            logger.error("A request failed in the store: %s", type(fault).__name__)  # noqa: TRY400 - texts hold paths
            answer = internal_error().envelope(parts.new_uuid())
        except ClientDisconnect:
            return
        if answer is None:
            await _break(send)
        else:
            await _send(send, answer)

    return app


async def _answer(scope: Scope, receive: Receive, *, parts: Parts, faults: Faults) -> Answer | None:
    path: str = scope["path"]
    if path.startswith(control.PREFIX) and parts.settings.faults_endpoint:
        return await control.answer(scope, receive, faults=faults, store=parts.store)
    route = find_route(scope["method"], path)
    fault = faults.take(route.operation)
    if fault is None:
        return await _operate(route, scope, receive, parts=parts)
    if fault.kind is FaultKind.LOST_REQUEST:
        return None
    if (instead := answer_instead(fault)) is not None:
        return instead
    if fault.kind is FaultKind.SLOW:
        await parts.sleep(fault.seconds)
    return answer_after(fault, await _operate(route, scope, receive, parts=parts))


async def _operate(route: Route, scope: Scope, receive: Receive, *, parts: Parts) -> Answer:
    if route.operation is Operation.ISSUE_TOKEN:
        return await oauth.issue_token(receive, parts.tokens)
    headers: dict[bytes, bytes] = dict(scope["headers"])
    caller = parts.tokens.verify(headers.get(b"authorization"))
    request = Request(
        route=route,
        version=_version(route, headers.get(b"cint-api-version"), settings=parts.settings),
        account_id=check_path(route),
        caller=caller,
        headers=headers,
        query=scope["query_string"],
        receive=receive,
        parts=parts,
    )
    read = _READS.get(route.operation)
    if read is not None:
        answer = await reading(parts.store, partial(read, request))
    else:
        answer = await _HANDLERS[route.operation](request)
    if route.operation in TRACED:
        trace = f"00-{trace_of(headers, new_uuid=parts.new_uuid)}-{parts.new_uuid().replace('-', '')[:16]}-01"
        return Answer(answer.status, answer.body, (*answer.headers, (b"traceparent", trace.encode())))
    return answer


def _version(route: Route, header: bytes | None, *, settings: ServiceSettings) -> Version:
    if header is None:
        raise Problem(403, "required_header_missing", "The required header 'Cint-API-Version' is missing.")
    version = VERSIONS.get(header.decode("latin-1"))
    if version is None:
        status = settings.unsupported_version_status
        kind = "bad_request_error" if status == 400 else "authorization_error"  # noqa: PLR2004 - an HTTP status
        raise Problem(status, kind, "The API version is not supported.")
    if route.operation in version.lacks and settings.respondents_by_file_since_newest:
        raise not_found()
    return version


async def _send(send: Send, answer: Answer) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
    await send({"type": "http.response.body", "body": answer.body})


async def _break(send: Send) -> None:
    # A promised length that never comes: over a socket the client sees a broken answer, not a clean 500.
    headers = [(b"content-type", b"application/json"), (b"content-length", b"64")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionResetError
