"""The reads of exclusions: of a target group, of its project, and of the exclusion groups of an account."""

from functools import partial

from anyio import to_thread

from recontact_service.documents import object_in, objects_in
from recontact_service.pages import page_of, rsid_page, with_cursor
from recontact_service.problems import Answer, as_json, not_found
from recontact_service.requests import (
    LONG_PAGE_SIZE_MAX,
    Request,
    document_of,
    group_of,
    page_size_of,
    query_of,
)
from recontact_service.store import reading
from recontact_service.values import Json, TargetGroup

_DURATION = "P90D"  # source: changelog of the API, 27 April 2026: the duration of an exclusion that names none


def get_policy(request: Request) -> Answer:
    """Answer whether a target group excludes who completed another of its project, draft or launched."""
    group = document_of(request)
    created = group.document.get("created_at")
    return as_json(
        {
            "project_exclusion_enabled": _is_exclusive(group),
            "create_date": created,
            "updated_by": group.document.get("project_manager_id"),
            "update_date": created,
        }
    )


def get_activity_exclusions(request: Request) -> Answer:
    """Answer the target groups and projects whose respondents may not enter, draft or launched."""
    listed = objects_in(document_of(request).document, "respondent_activity_exclusions")
    return as_json({"respondent_activity_exclusions": [{"duration": _DURATION, **one} for one in listed]})


async def get_overview(request: Request) -> Answer:
    """Answer how many single respondents may not enter."""
    store = request.parts.store
    group, document = await reading(store, lambda: (group_of(request).number, document_of(request).document))
    count = await to_thread.run_sync(partial(store.count_excluded, group))
    guids = document.get("excluded_guids", 0)
    return as_json({"saved_respondent_ids_count": count, "saved_access_respondent_guids_count": guids})


def list_rsids(request: Request) -> Answer:
    """Answer a page of the respondent IDs that may not enter, in ascending order."""
    group = group_of(request).number
    query, settings = query_of(request), request.parts.settings
    limit = page_size_of(query, settings, most=LONG_PAGE_SIZE_MAX, default=LONG_PAGE_SIZE_MAX)
    data, following = rsid_page(
        request.route.target_group_id,
        query,
        limit,
        forwards=lambda after, many: request.parts.store.read_excluded(group, after=after, limit=many),
        backwards=lambda before, many: request.parts.store.read_excluded_before(group, before=before, limit=many),
    )
    shown: dict[str, Json] = {"data": data, "url": f"{request.route.group_path}/exclusions/rsid/paginated"}
    return as_json(with_cursor(shown, following, settings=settings))


async def list_of_project(request: Request) -> Answer:
    """Answer every target group of a project, each with whether it excludes who completed another."""
    groups = await _groups(request, project_id=request.route.project_id)
    if not groups:
        raise not_found()
    return as_json(
        [
            {"target_group_id": group.target_group_id, "project_exclusion_enabled": _is_exclusive(group)}
            for group in groups
        ]
    )


def list_groups(request: Request) -> Answer:
    """Answer a page of the exclusion groups of a target group.

    Its list of answers holds no 404; assumed: a target group that there is not is in none.
    """
    account, owner = request.account_id, request.route.target_group_id
    group = request.parts.store.read_group(owner)
    found = objects_in(group.document, "exclusion_groups") if group and group.account_id == account else []
    entries: dict[str, Json] = {
        str(one.get("exclusion_group_id")): {"tag": "", "description": "", "create_date": _created(group), **one}
        for one in found
    }
    shown, following = page_of(entries, query_of(request), settings=request.parts.settings)
    return _page(request, shown, following, url=f"accounts/{account}/target-groups/{owner}/exclusion-groups")


async def list_members(request: Request) -> Answer:
    """Answer a page of the target groups of an exclusion group: those of the account that say they are in it."""
    owner = request.route.ids["exclusion_group_id"]
    members: dict[str, Json] = {
        group.target_group_id: group.target_group_id
        for group in await _groups(request, project_id=None)
        if owner in [one.get("exclusion_group_id") for one in objects_in(group.document, "exclusion_groups")]
    }
    if not members:
        raise not_found()
    shown, following = page_of(
        members,
        query_of(request),
        settings=request.parts.settings,
        most=LONG_PAGE_SIZE_MAX,
        default=LONG_PAGE_SIZE_MAX,
    )
    url = f"accounts/{request.account_id}/exclusion-groups/{owner}/exclusions/target-groups"
    return _page(request, shown, following, url=url)


async def _groups(request: Request, *, project_id: str | None) -> list[TargetGroup]:
    reading = partial(request.parts.store.list_groups, request.account_id, project_id=project_id)
    return await to_thread.run_sync(reading)


def _page(request: Request, shown: list[Json], following: str | None, *, url: str) -> Answer:
    return as_json(with_cursor({"data": shown, "url": url}, following, settings=request.parts.settings))


def _is_exclusive(group: TargetGroup) -> bool:
    return object_in(group.document, "exclusion").get("enabled") is True


def _created(group: TargetGroup | None) -> Json:
    return group.document.get("created_at") if group else None
