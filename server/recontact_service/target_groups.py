"""The reads of a target group: draft, details, overview, fielding run and profiles, each from its document."""

from collections.abc import Iterable

from recontact_service.documents import object_in
from recontact_service.problems import Answer, as_json, not_found
from recontact_service.requests import Request, document_of, launched
from recontact_service.values import Document, Json, TargetGroup, TargetGroupState
from recontact_service.versions import Version

# source: FetchTargetGroupResponse, TargetGroupDetails and TargetGroupOverview
_SHARED = [
    "human_readable_id",
    "business_unit_id",
    "locale",
    "collects_pii",
    "study_type_code",
    "industry_code",
    "client_id",
    "client_cost_per_interview_note",
    "project_manager_id",
    "completes_goal",
    "expected_length_of_interview_minutes",
    "expected_incidence_rate",
    "industry_lockout_code",
    "live_url",
    "test_url",
    "created_at",
    "name",
    "links",
    "target_group_customer_reference_number",
]
_DRAFT = (
    *_SHARED,
    *[
        "pricing_model",
        "cost_per_interview",
        "fielding_specification",
        "exclusion",
        "respondent_activity_exclusions",
        "fielding_assistant_assignment",
        "allocations",
        "re_entry_configuration",
    ],
)
_DETAILS = (*_SHARED, "id", "account_name")
_OVERVIEW = [
    "project_name",
    "target_group_name",
    "human_readable_id",
    "project_manager_id",
    "progress",
    "pricing_model",
    "is_pricing_restricted",
    "current_cost_per_interview",
    "average_cost_per_interview",
    "current_cost",
    "status",
    "country_code",
    "language_code",
    "conversion_rate",
    "drop_off_rate",
    "incidence_rate",
    "median_length_of_interview_seconds",
    "study_type_code",
    "target_group_customer_reference_number",
    "created_at",
]

_RUN_STATUSES = frozenset({"scheduled", "live", "paused", "completed"})  # source: FieldingRunStatus
# assumed: the names of all but the first two, and that there is one for recontacts, which the guide names
_STUDY_TYPES = {"adhoc": "Adhoc", "diary": "Diary", "recontact": "Recontact"}


def get_target_group(request: Request) -> Answer:
    """Answer a draft, or send the reader of a launched target group to its details."""
    group = document_of(request)
    if group.state is TargetGroupState.LAUNCHED:
        # assumed: the samples of this Location are inconsistent; like one of them, ours leaves out /v1
        location = f"/demand/{request.route.group_path}/details"
        return Answer(301, b"", ((b"location", location.encode()),))
    shown = _select(group.document, _DRAFT)
    return as_json({**shown, request.version.profiling: _profiling(group.document, request.version)})


def get_details(request: Request) -> Answer:
    """Answer the details of a launched target group."""
    group = launched(document_of(request))
    # source: TargetGroupDetails types the business unit as a text, FetchTargetGroupResponse as a number
    unit = str(group.document.get("business_unit_id"))
    return as_json({**_select(group.document, _DETAILS), "id": group.target_group_id, "business_unit_id": unit})


def get_overview(request: Request) -> Answer:
    """Answer the status and figures of a launched target group."""
    return as_json(_overview(launched(document_of(request))))


def get_overview_by_id(request: Request) -> Answer:
    """Answer the same, knowing only the target group's id."""
    found = request.parts.store.read_group(request.route.target_group_id)
    if found is None:
        raise not_found()
    group = launched(found)
    return as_json({"account_id": group.account_id, "project_id": group.project_id, **_overview(group)})


def list_fielding_runs(request: Request) -> Answer:
    """Answer the one fielding run of a launched target group; assumed: a draft has none, which is no error."""
    run = _fielding_run(document_of(request))
    return as_json({"data": [run] if run else [], "has_more": False})


def list_profiles(request: Request) -> Answer:
    """Answer the profiles of a launched target group; assumed: 404 for a draft, an empty list for none."""
    document = launched(document_of(request)).document
    profiles = object_in(document, "profiling").get("profiles") or []
    return as_json(
        {"locale": document.get("locale"), "completes_goal": document.get("completes_goal"), "profiles": profiles}
    )


def list_study_types(_request: Request) -> Answer:
    """Answer the study types that a target group may have."""
    listed: list[Json] = [
        {"id": number, "code": code, "name": name} for number, (code, name) in enumerate(_STUDY_TYPES.items(), start=1)
    ]
    return as_json({"study_types": listed})


def _profiling(document: Document, version: Version) -> Json:
    profiling = object_in(document, "profiling")
    if not profiling:
        return version.no_profiling
    profiles = profiling.get("profiles", [])
    return {**{name: value for name, value in profiling.items() if name != "profiles"}, version.profiles: profiles}


def _fielding_run(group: TargetGroup) -> Json:
    document = group.document
    seeded = document.get("fielding_run", {})
    if group.state is TargetGroupState.DRAFT or not isinstance(seeded, dict):
        return None
    dates, status = object_in(document, "fielding_specification"), document.get("status")
    return {
        "id": group.target_group_id,  # assumed: any id does, and the sample's is a ULID too
        "last_changed_at": document.get("created_at"),
        "last_changed_by": document.get("project_manager_id"),
        "start_fielding_at": dates.get("start_at"),
        "end_fielding_at": dates.get("end_at"),
        "status": status if status in _RUN_STATUSES else "completed",  # assumed: that of an archived group
        "version": 1,
        **seeded,
    }


def _select(document: Document, names: Iterable[str]) -> dict[str, Json]:
    return {name: document[name] for name in names if name in document}


def _overview(group: TargetGroup) -> dict[str, Json]:
    document = group.document
    progress: dict[str, Json] = {
        "filling_goal": document.get("completes_goal"),
        "current_completes": 0,
        "current_prescreens": 0,
        "filling_strategy": "completes",
        **object_in(document, "progress"),
    }
    shown: Document = {**document, "progress": progress, "target_group_name": document.get("name")}
    return _select(shown, _OVERVIEW)
