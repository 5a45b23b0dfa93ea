"""How a path leads to an operation, and whether the identifiers in it are any."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from recontact_service.operations import WITHOUT_BAD_REQUEST, Operation
from recontact_service.problems import bad_parameter, method_not_allowed, not_found
from recontact_service.values import JobKind

_ACCOUNT = "v1/demand/accounts/{account_id}"
_PROJECT = f"{_ACCOUNT}/projects/{{project_id}}"
_GROUP = f"{_PROJECT}/target-groups/{{target_group_id}}"
_RSIDS = f"{_GROUP}/recontacts/jobs/{JobKind.UPLOAD_RSIDS}"
_RESPONDENTS = f"{_GROUP}/recontacts/jobs/{JobKind.UPLOAD_RESPONDENTS}"
_REMOVE = f"{_GROUP}/recontacts/jobs/{JobKind.REMOVE_ALL}"

_PATHS: dict[str, dict[str, Operation]] = {
    "oauth/token": {"POST": Operation.ISSUE_TOKEN},
    _RSIDS: {"POST": Operation.UPLOAD_RSIDS},
    f"{_RSIDS}/{{job_id}}": {"GET": Operation.GET_RSIDS_UPLOAD},
    _RESPONDENTS: {"POST": Operation.UPLOAD_RESPONDENTS, "GET": Operation.LIST_UPLOADS},
    f"{_RESPONDENTS}/{{job_id}}": {"GET": Operation.GET_RESPONDENTS_UPLOAD},
    f"{_RESPONDENTS}/{{job_id}}/download": {"GET": Operation.DOWNLOAD},
    _REMOVE: {"POST": Operation.REMOVE_ALL},
    f"{_REMOVE}/{{job_id}}": {"GET": Operation.GET_REMOVAL},
    f"{_GROUP}/recontacts/overview": {"GET": Operation.OVERVIEW},
    f"{_GROUP}/recontacts/rsids": {"GET": Operation.LIST_RSIDS},
    _GROUP: {"GET": Operation.GET_TARGET_GROUP},
    f"{_GROUP}/details": {"GET": Operation.GET_DETAILS},
    f"{_GROUP}/overview": {"GET": Operation.GET_OVERVIEW},
    "v1/demand/target-groups/{target_group_id}/overview": {"GET": Operation.GET_OVERVIEW_BY_ID},
    f"{_GROUP}/fielding-runs": {"GET": Operation.LIST_FIELDING_RUNS},
    f"{_GROUP}/profiles": {"GET": Operation.LIST_PROFILES},
    f"{_GROUP}/allocation-specification": {"GET": Operation.GET_ALLOCATIONS},
    f"{_GROUP}/exclusion-policy": {"GET": Operation.GET_EXCLUSION_POLICY},
    f"{_GROUP}/respondent-activity-exclusions": {"GET": Operation.GET_ACTIVITY_EXCLUSIONS},
    f"{_GROUP}/exclusions/overview": {"GET": Operation.GET_EXCLUSIONS_OVERVIEW},
    f"{_GROUP}/exclusions/rsid/paginated": {"GET": Operation.LIST_EXCLUDED_RSIDS},
    f"{_PROJECT}/exclusions": {"GET": Operation.LIST_PROJECT_EXCLUSIONS},
    f"{_ACCOUNT}/target-groups/{{target_group_id}}/exclusion-groups": {"GET": Operation.LIST_EXCLUSION_GROUPS},
    f"{_ACCOUNT}/exclusion-groups/{{exclusion_group_id}}/target-groups": {
        "GET": Operation.LIST_EXCLUSION_GROUP_MEMBERS
    },
    f"{_ACCOUNT}/business-units/{{business_unit_id}}/global-allocation-templates/{{template_id}}": {
        "GET": Operation.GET_TEMPLATE_OF_UNIT
    },
    "v1/demand/allocation-templates": {"GET": Operation.LIST_TEMPLATES},
    "v1/demand/allocation-templates/{template_id}": {"GET": Operation.GET_TEMPLATE},
    "v1/study-types": {"GET": Operation.LIST_STUDY_TYPES},
}
_ULIDS = frozenset({"target_group_id", "project_id", "exclusion_group_id", "template_id"})
_ULID = re.compile(r"[0-9A-Z]{26}")  # source: components.schemas.TargetGroupID.pattern
_ACCOUNT_ID = re.compile(r"-?[0-9]{1,10}")
_ACCOUNT_MAX = 2**31 - 1  # source: AccountID, int32


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and the parts of the path that vary, as they were sent; one that the path lacks is ""."""

    operation: Operation
    ids: Mapping[str, str]

    @property
    def account_id(self) -> str:
        """The account."""
        return self.ids.get("account_id", "")

    @property
    def project_id(self) -> str:
        """The project."""
        return self.ids.get("project_id", "")

    @property
    def target_group_id(self) -> str:
        """The target group."""
        return self.ids.get("target_group_id", "")

    @property
    def job_id(self) -> str:
        """The job."""
        return self.ids.get("job_id", "")

    @property
    def group_path(self) -> str:
        """The path of the target group below /v1/demand/."""
        return f"accounts/{self.account_id}/projects/{self.project_id}/target-groups/{self.target_group_id}"


@dataclass(slots=True)
class _Place:
    """A place in the tree of paths; *parameter* names the part that leads here when it varies."""

    parameter: str = ""
    operations: dict[str, Operation] = field(default_factory=dict[str, Operation])
    below: "dict[str, _Place]" = field(default_factory=dict[str, "_Place"])


def _plant(paths: Mapping[str, dict[str, Operation]]) -> _Place:
    root = _Place()
    for path, operations in paths.items():
        place = root
        for part in path.split("/"):
            varies = part.startswith("{")
            place = place.below.setdefault("*" if varies else part, _Place(part.strip("{}") if varies else ""))
        place.operations = operations
    return root


_ROOT = _plant(_PATHS)


def find_route(method: str, path: str) -> Route:
    """Lead a request to its operation.

    Raises:
        Problem: 404 for an unknown path, 405 for a method the path does not have.
    """
    place = _ROOT
    ids: dict[str, str] = {}
    for part in path.split("/")[1:]:
        below = place.below.get(part) or place.below.get("*")
        if below is None:
            raise not_found()
        place = below
        if place.parameter:
            ids[place.parameter] = part
    if not place.operations:
        raise not_found()
    operation = place.operations.get(method)
    if operation is None:
        raise method_not_allowed(place.operations)
    return Route(operation, ids)


def check_path(route: Route) -> int:
    """Check the identifiers in the path and return the account id (0 for a path without one).

    Raises:
        Problem: 400 with the parameter that is wrong, or 404 where the operation knows no 400.
    """
    for name, value in route.ids.items():
        reason = _fault_in(name, value)
        if reason:
            raise not_found() if route.operation in WITHOUT_BAD_REQUEST else bad_parameter(name, reason)
    return int(route.account_id or "0")


def _fault_in(name: str, value: str) -> str:
    if name in _ULIDS:
        return "" if _ULID.fullmatch(value) else "must be a ULID of 26 characters"
    if name != "account_id":
        return ""
    if not _ACCOUNT_ID.fullmatch(value):
        return "must be an integer"
    return "" if abs(int(value)) <= _ACCOUNT_MAX else "must be a 32-bit integer"
