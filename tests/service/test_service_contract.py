"""Every operation's answers against a table of their shapes, and every refusal against the statuses it may have."""

# jsonschema ships no types; one checker wants that said, the other wants it left unsaid.
# mypy: disable-error-code="import-untyped"

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from recontact_service.operations import Operation
from recontact_service.running import RunningService
from recontact_service.seed import seed
from recontact_service.settings import ServiceSettings
from recontact_service.values import TargetGroupState

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]
Schema = dict[str, Any]

DRAFT, LAUNCHED = "01BTGNYV6HRNK8K8VKZASZCFP1", "01BTGNYV6HRNK8K8VKZASZCFP2"
EXCLUSION_GROUP, TEMPLATE = "01JW97M2Y5Q5KB0N543B4G4T5Y", "01JH0PEGPC4Z8RDD304E2SF0EW"
NOWHERE = "01BTGNYV6HRNK8K8VKZASZCFPZ"
FILE = {"file": ("a.csv", b"".join(f"{UUID(int=n)}\n".encode() for n in range(20)) + b"none\n", "text/csv")}

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
PERCENT: Schema = {"type": "integer", "minimum": 0, "maximum": 100}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$"}
USER: Schema = {"type": "string", "format": "uuid"}
ULID: Schema = {"type": "string", "pattern": "^[0-9A-Z]{26}$"}
RSIDS: Schema = {"type": "array", "items": {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}}
SAVED: Schema = {"type": "integer", "minimum": 0, "maximum": 100_000}
URL: Schema = {"type": "string", "pattern": r"^https://.*\[%RECONTACT_RSID%\]"}


def whole(optional: dict[str, Schema] | None = None, /, **fields: Schema) -> Schema:
    """Describe an object that has all of *fields*, perhaps some of *optional*, and nothing else."""
    properties = {**fields, **(optional or {})}
    return {"type": "object", "properties": properties, "required": [*fields], "additionalProperties": False}


def each(item: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": item, **limits}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


MONEY = whole(value={"type": "string", "pattern": r"^\d+\.\d{4}$"}, currency_code={"pattern": "^[A-Z]{3}$"})
STARTED = whole(job_id=TEXT)
REASON = whole(code=TEXT, description=TEXT)
REMOVAL = whole(
    {"job_trace_id": {"pattern": "^[0-9a-f]{32}$"}},
    job_id=TEXT,
    created_at=TIME,
    created_by=USER,
    status={"enum": ["Completed", "Failed", "Processing"]},
    completed_at=or_null(TIME),
    failure_reason=or_null(REASON),
)
UPLOAD = {
    **REMOVAL,
    "properties": {**REMOVAL["properties"], "partial_success_reason": or_null(whole(description=TEXT))},
    "required": [*REMOVAL["required"], "partial_success_reason"],
}
LISTED_JOB = whole(
    job_id=TEXT, file_name=TEXT, status=REMOVAL["properties"]["status"], created_at=TIME, created_by=USER
)
RSID_PAGE = whole({"next_cursor": TEXT}, data=RSIDS, url=TEXT)
SHARED = {
    "human_readable_id": {"type": "string", "minLength": 7, "maxLength": 7},
    "name": TEXT,
    "locale": TEXT,
    "collects_pii": FLAG,
    "study_type_code": {"const": "recontact"},
    "industry_code": TEXT,
    "industry_lockout_code": TEXT,
    "project_manager_id": USER,
    "completes_goal": {"type": "integer", "minimum": 1},
    "expected_length_of_interview_minutes": {"type": "integer", "minimum": 1, "maximum": 45},
    "expected_incidence_rate": SHARE,
    "live_url": URL,
    "test_url": URL,
    "created_at": TIME,
}
SUPPLIER = whole(id=WHOLE, name=TEXT)
COUNTED = whole(id=WHOLE, name=TEXT, completes=WHOLE, pre_screens=WHOLE)
NAMED = whole(supplier_id={"type": "string", "pattern": "^[0-9]+$"}, supplier_name=TEXT)
TYPED = whole(supplier_id=WHOLE, name=TEXT, type={"const": "survey_panels"})


def allocated(supplier: Schema, *, private: Schema) -> dict[str, Schema]:
    """Describe the two objects of allocations, whose suppliers look different in each operation."""
    opened = whole(
        exchange_suppliers=each(supplier),
        blocked_suppliers=each(supplier),
        exchange_min_percentage=PERCENT,
        exchange_max_percentage=PERCENT,
        groups=each({}),
    )
    return {"open_exchange_allocations": opened, "private_exchange_allocations": private}


PRIVATE = whole(blocked_suppliers=each({}), groups=each({}))
ACTIVITY = whole(type={"enum": ["target-group", "project"]}, id=ULID, duration={"pattern": "^P"})
DRAFT_SCHEMA = whole(
    **SHARED,
    business_unit_id=WHOLE,
    pricing_model={"enum": ["rate_card", "dynamic"]},
    cost_per_interview=MONEY,
    fielding_specification=whole(start_at=TIME, end_at=TIME),
    exclusion=whole(enabled=FLAG, list=each({}, maxItems=0)),
    respondent_activity_exclusions=each(ACTIVITY),
    profiling={"type": "null"},
    allocations=whole(template_id=ULID, **allocated(SUPPLIER, private=PRIVATE)),
)
DETAILS = whole(**SHARED, id={"const": LAUNCHED}, account_name=TEXT, business_unit_id=TEXT)
OVERVIEW = whole(
    project_name=TEXT,
    target_group_name=TEXT,
    human_readable_id=TEXT,
    project_manager_id=USER,
    progress=whole(
        filling_goal={"type": "integer", "minimum": 1},
        current_completes=WHOLE,
        current_prescreens=WHOLE,
        filling_strategy={"enum": ["automated", "prescreens", "completes"]},
    ),
    pricing_model={"enum": ["rate_card", "dynamic"]},
    is_pricing_restricted=FLAG,
    current_cost_per_interview=MONEY,
    current_cost=MONEY,
    status={"enum": ["scheduled", "live", "paused", "completed", "archived"]},
    country_code=TEXT,
    language_code=TEXT,
    conversion_rate=SHARE,
    drop_off_rate=SHARE,
    incidence_rate=SHARE,
    median_length_of_interview_seconds=WHOLE,
    study_type_code=TEXT,
    created_at=TIME,
)
BY_ID = whole(**OVERVIEW["properties"], account_id={"const": 101}, project_id=ULID)
RUN = whole(
    id=TEXT,
    last_changed_at=TIME,
    last_changed_by=USER,
    start_fielding_at=TIME,
    end_fielding_at=TIME,
    status={"enum": ["scheduled", "live", "paused", "completed"]},
    version=WHOLE,
)
LISTED_TEMPLATE = whole(template_id=ULID, name=TEXT, last_modified_at=TIME, last_modified_by=USER)
SHARE_OF_TEMPLATE = {
    "oneOf": [
        whole(type={"const": "exchange"}, percentage_min=PERCENT, percentage_max=PERCENT, suppliers=each(TYPED)),
        whole(type={"const": "blocked"}, suppliers=each(TYPED)),
    ]
}
ERROR = whole(
    {"invalid_params": each(whole(name=TEXT, reason=TEXT), minItems=1)},
    id=USER,
    object={"pattern": "^([a-z]*_)*([a-z]*)$"},
    detail=TEXT,
)

READ = frozenset({400, 401, 403, 404, 500})  # source: the answers that the documents list
STARTS = READ | {409}
TAKES_A_FILE = STARTS | {413, 415}
NO_BAD_REQUEST = READ - {400}
NO_NOT_FOUND = READ - {404}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What an operation answers; *path* is below /v1/, *job* the path where the job that it reads starts."""

    path: str
    schema: Schema | None
    errors: frozenset[int] = READ
    method: str = "GET"
    status: int = 200
    job: str = ""
    traced: bool = False


ACCOUNT = "demand/accounts/101"
PROJECT = f"{ACCOUNT}/projects/01BTGNYV6HRNK8K8VKZASZCFP0"
GROUP, ON_AIR = f"{PROJECT}/target-groups/{DRAFT}", f"{PROJECT}/target-groups/{LAUNCHED}"
UPLOADS, OTHERS = f"{GROUP}/recontacts/jobs/upload-rsids-by-file", f"{GROUP}/recontacts/jobs/upload-respondents-by-file"
REMOVALS = f"{GROUP}/recontacts/jobs/remove-all-rsids"
OTHERS_OF = f"{OTHERS}?entity_type=RSID"

DOCUMENTED = {
    Operation.UPLOAD_RSIDS: Documented(method="POST", path=UPLOADS, status=201, schema=STARTED, errors=TAKES_A_FILE),
    Operation.UPLOAD_RESPONDENTS: Documented(
        method="POST", path=OTHERS_OF, status=201, schema=STARTED, errors=TAKES_A_FILE
    ),
    Operation.REMOVE_ALL: Documented(method="POST", path=REMOVALS, status=201, schema=STARTED, errors=STARTS),
    Operation.GET_RSIDS_UPLOAD: Documented(path=f"{UPLOADS}/JOB", job=UPLOADS, schema=UPLOAD),
    Operation.GET_RESPONDENTS_UPLOAD: Documented(path=f"{OTHERS}/JOB", job=OTHERS_OF, schema=UPLOAD),
    Operation.GET_REMOVAL: Documented(path=f"{REMOVALS}/JOB", job=REMOVALS, schema=REMOVAL),
    Operation.DOWNLOAD: Documented(path=f"{OTHERS}/JOB/download", job=OTHERS_OF, schema=None),
    Operation.LIST_UPLOADS: Documented(
        path=OTHERS, job=UPLOADS, schema=whole(data=each(LISTED_JOB, minItems=1), next_cursor=or_null(TEXT))
    ),
    Operation.OVERVIEW: Documented(path=f"{GROUP}/recontacts/overview", schema=whole(saved_respondent_ids_count=SAVED)),
    Operation.LIST_RSIDS: Documented(path=f"{GROUP}/recontacts/rsids", job=UPLOADS, schema=RSID_PAGE),
    Operation.GET_TARGET_GROUP: Documented(path=GROUP, schema=DRAFT_SCHEMA),
    Operation.GET_DETAILS: Documented(path=f"{ON_AIR}/details", schema=DETAILS, traced=True),
    Operation.GET_OVERVIEW: Documented(path=f"{ON_AIR}/overview", schema=OVERVIEW),
    Operation.GET_OVERVIEW_BY_ID: Documented(path=f"demand/target-groups/{LAUNCHED}/overview", schema=BY_ID),
    Operation.LIST_FIELDING_RUNS: Documented(
        path=f"{ON_AIR}/fielding-runs",
        schema=whole(data=each(RUN, minItems=1, maxItems=1), has_more={"const": False}),
        traced=True,
    ),
    Operation.LIST_PROFILES: Documented(
        path=f"{ON_AIR}/profiles",
        schema=whole(locale=TEXT, completes_goal={"type": "integer", "minimum": 1}, profiles=each({}, maxItems=0)),
    ),
    Operation.GET_ALLOCATIONS: Documented(
        path=f"{ON_AIR}/allocation-specification", schema=whole(**allocated(COUNTED, private=PRIVATE)), traced=True
    ),
    Operation.GET_EXCLUSION_POLICY: Documented(
        path=f"{GROUP}/exclusion-policy",
        schema=whole(project_exclusion_enabled=FLAG, create_date=TIME, updated_by=TEXT, update_date=TIME),
        errors=NO_BAD_REQUEST,
        traced=True,
    ),
    Operation.GET_ACTIVITY_EXCLUSIONS: Documented(
        path=f"{GROUP}/respondent-activity-exclusions",
        schema=whole(respondent_activity_exclusions=each(ACTIVITY)),
        errors=NO_BAD_REQUEST,
        traced=True,
    ),
    Operation.GET_EXCLUSIONS_OVERVIEW: Documented(
        path=f"{GROUP}/exclusions/overview",
        schema=whole(saved_respondent_ids_count=SAVED, saved_access_respondent_guids_count=SAVED),
    ),
    Operation.LIST_EXCLUDED_RSIDS: Documented(
        path=f"{GROUP}/exclusions/rsid/paginated", schema=RSID_PAGE, errors=NO_BAD_REQUEST
    ),
    Operation.LIST_PROJECT_EXCLUSIONS: Documented(
        path=f"{PROJECT}/exclusions",
        schema=each(whole(target_group_id=ULID, project_exclusion_enabled=FLAG), minItems=2),
        errors=NO_BAD_REQUEST,
        traced=True,
    ),
    Operation.LIST_EXCLUSION_GROUPS: Documented(
        path=f"{ACCOUNT}/target-groups/{LAUNCHED}/exclusion-groups",
        schema=whole(
            {"next_cursor": TEXT},
            data=each(whole(exclusion_group_id=ULID, tag=TEXT, description=TEXT, create_date=TIME), minItems=1),
            url=TEXT,
        ),
        errors=NO_NOT_FOUND,
    ),
    Operation.LIST_EXCLUSION_GROUP_MEMBERS: Documented(
        path=f"{ACCOUNT}/exclusion-groups/{EXCLUSION_GROUP}/target-groups",
        schema=whole({"next_cursor": TEXT}, data=each(ULID, minItems=1), url=TEXT),
        errors=NO_BAD_REQUEST,
        traced=True,
    ),
    Operation.LIST_STUDY_TYPES: Documented(
        path="study-types",
        schema=whole(study_types=each(whole(id=WHOLE, code=TEXT, name=TEXT), minItems=1)),
        errors=NO_NOT_FOUND,
    ),
    Operation.LIST_TEMPLATES: Documented(
        path="demand/allocation-templates",
        schema=whole(templates=each(LISTED_TEMPLATE, minItems=1), has_more=FLAG, next_cursor=TEXT),
        errors=NO_NOT_FOUND,
    ),
    Operation.GET_TEMPLATE: Documented(
        path=f"demand/allocation-templates/{TEMPLATE}",
        schema=whole(template_id=ULID, name=TEXT, supply_allocations=each(SHARE_OF_TEMPLATE, minItems=1)),
    ),
    Operation.GET_TEMPLATE_OF_UNIT: Documented(
        path=f"{ACCOUNT}/business-units/3337/global-allocation-templates/{TEMPLATE}?locale=eng_us",
        schema=whole(
            template_id=ULID,
            template_name=TEXT,
            last_modified_at=TIME,
            last_modified_by=USER,
            **allocated(NAMED, private=whole(blocked_suppliers=each(NAMED))),
        ),
        errors=NO_NOT_FOUND,
        traced=True,
    ),
}
EVERY = pytest.mark.parametrize("operation", [pytest.param(one, id=one.value) for one in DOCUMENTED])


def assert_shaped(answer: httpx.Response, schema: Schema) -> None:
    assert answer.headers["content-type"] == "application/json"
    validator: Any = Draft202012Validator(schema, format_checker=FormatChecker())
    validator.validate(answer.json())


@pytest.fixture
async def asking(
    settings: ServiceSettings, open_service: Opener, client_of: Client, clock: list[datetime]
) -> AsyncGenerator[tuple[RunningService, httpx.AsyncClient]]:
    """Serve a draft and a launched target group, both with everything that a read can show."""
    async with open_service(replace(settings, chunk_ids=5)) as service, client_of(service) as client:
        for target_group_id, state in ((DRAFT, TargetGroupState.DRAFT), (LAUNCHED, TargetGroupState.LAUNCHED)):
            seed(
                settings.database,
                now=lambda: clock[0],
                target_group_id=target_group_id,
                state=state,
                fields={
                    "exclusion_groups": [{"exclusion_group_id": EXCLUSION_GROUP, "tag": "Tracker"}],
                    "respondent_activity_exclusions": [{"type": "project", "id": NOWHERE, "duration": "P30D"}],
                },
                excluded=f"{UUID(int=7)}\n".encode(),
            )
        client.base_url = httpx.URL("http://service/v1/")
        yield service, client


async def send(client: httpx.AsyncClient, documented: Documented, job_id: str = "JOB", **change: Any) -> httpx.Response:
    files = FILE if 415 in documented.errors else None
    return await client.request(documented.method, documented.path.replace("JOB", job_id), files=files, **change)


def test_the_table_names_every_operation_but_the_token() -> None:
    assert set(DOCUMENTED) == set(Operation) - {Operation.ISSUE_TOKEN}


@EVERY
async def test_an_answer_has_the_documented_shape(
    operation: Operation, asking: tuple[RunningService, httpx.AsyncClient]
) -> None:
    service, client = asking
    documented = DOCUMENTED[operation]
    job_id = ""
    if documented.job:
        files = None if "remove" in documented.job else FILE
        job_id = (await client.post(documented.job, files=files)).json()["job_id"]
        await service.advance()
    answer = await send(client, documented, job_id)

    assert answer.status_code == documented.status
    assert ("traceparent" in answer.headers) is documented.traced
    if documented.schema is None:
        assert answer.headers["content-type"] == "application/octet-stream"
    else:
        assert_shaped(answer, documented.schema)


@EVERY
@pytest.mark.parametrize(
    ("header", "value", "status", "kind"),
    [
        ("Authorization", "Bearer nothing", 401, "authorization_error"),
        ("Cint-API-Version", None, 403, "required_header_missing"),
        ("Cint-API-Version", "2024-01-01", 403, "authorization_error"),
    ],
)
async def test_a_request_without_its_headers_is_refused_in_the_envelope(
    operation: Operation,
    header: str,
    value: str | None,
    status: int,
    kind: str,
    settings: ServiceSettings,
    open_service: Opener,
    client_of: Client,
) -> None:
    async with open_service(replace(settings, unsupported_version_status=403)) as service, client_of(service) as client:
        client.base_url = httpx.URL("http://service/v1/")
        del client.headers[header]
        answer = await send(client, DOCUMENTED[operation], headers={header: value} if value else None)

    assert (answer.status_code, answer.json()["object"]) == (status, kind)
    assert_shaped(answer, ERROR)


CHANGES = [
    ("accounts/101", "accounts/none"),
    ("accounts/101", "accounts/9999999999"),
    ("accounts/101/projects", "accounts/-5/projects"),
    ("/01BTGNYV6HRNK8K8VKZASZCFP0", "/short"),
    ("/01BTGNYV6HRNK8K8VKZASZCFP0", f"/{NOWHERE}"),
    (f"/{DRAFT}", "/"),
    (f"/{DRAFT}", f"/{NOWHERE}"),
    (f"/{LAUNCHED}", "/short"),
    (f"/{LAUNCHED}", f"/{NOWHERE}"),
    (f"/{EXCLUSION_GROUP}", "/short"),
    (f"/{EXCLUSION_GROUP}", f"/{NOWHERE}"),
    (f"/{TEMPLATE}", "/short"),
    (f"/{TEMPLATE}", f"/{NOWHERE}"),
    ("?locale=eng_us", ""),
    ("?entity_type=RSID", "?entity_type=PID"),
    ("/JOB", "/01BTGNYV6HRNK8K8VKZASZCFPX"),
]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        pytest.param(operation, changed, id=f"{operation.value} at {good} -> {bad}")
        for operation, documented in DOCUMENTED.items()
        for good, bad in CHANGES
        if (changed := documented.path.replace(good, bad, 1)) != documented.path
    ],
)
async def test_an_identifier_that_is_none_or_names_nothing_is_refused_with_a_documented_status(
    operation: Operation, path: str, asking: tuple[RunningService, httpx.AsyncClient]
) -> None:
    documented = DOCUMENTED[operation]
    answer = await send(asking[1], replace(documented, path=path))
    # Where no 404 is documented, a list of what belongs to nothing is empty.
    empty = 404 not in documented.errors and answer.status_code == 200 and answer.json()["data"] == []

    assert empty or answer.status_code in documented.errors
    assert_shaped(answer, {} if empty else ERROR)


async def test_what_the_examples_show_as_null_can_be_shown_so(
    settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, unset_fields="null")) as service, client_of(service) as client:
        started = (await client.post("recontacts/jobs/remove-all-rsids")).json()["job_id"]
        job = (await client.get(f"recontacts/jobs/remove-all-rsids/{started}")).json()
        page = (await client.get("recontacts/rsids")).json()

    assert job["job_trace_id"] is None
    assert page["next_cursor"] is None
