"""The document of a target group: everything that its reads show of it, and the one that a fresh group has."""

from datetime import UTC, datetime

from recontact_service.templates import RECONTACT, Template
from recontact_service.values import Document, Json

RECONTACT_VARIABLE = "[%RECONTACT_RSID%]"  # source: guide "How to recontact respondents"

# Fields of a document that no read shows under their own name, beside those of `default_document`:
# fielding_run     what differs from the run that status and fielding_specification tell of; null for none at all
# exclusion_groups the exclusion groups that the target group is a member of, as their list shows them
# progress         what differs from the progress of a group that nobody has entered
# excluded_guids   how many access respondent GUIDs are excluded
BEHIND_THE_READS = frozenset({"fielding_run", "exclusion_groups", "progress", "excluded_guids"})
# Fields that the API may show and a fresh target group lacks.
OPTIONAL = frozenset(
    {
        "average_cost_per_interview",
        "client_cost_per_interview_note",
        "client_id",
        "fielding_assistant_assignment",
        "links",
        "re_entry_configuration",
        "target_group_customer_reference_number",
    }
)

_SURVEY = f"https://survey.example.com/wave2?RID=[%RID%]&RECONTACT_RSID={RECONTACT_VARIABLE}"
_PRICE: dict[str, Json] = {"value": "2.5000", "currency_code": "USD"}
_READY: Document = {
    "human_readable_id": "9NRV3B9",
    "name": "Recontact wave 2",
    "account_name": "Example account",
    "project_name": "Example project",
    "business_unit_id": 3337,
    "locale": "eng_us",
    "country_code": "US",
    "language_code": "ENG",
    "collects_pii": False,
    "study_type_code": "recontact",
    "industry_code": "other",
    "industry_lockout_code": "no_lock_out",
    "pricing_model": "dynamic",
    "cost_per_interview": _PRICE,
    "current_cost_per_interview": _PRICE,
    "current_cost": {"value": "0.0000", "currency_code": "USD"},
    "is_pricing_restricted": False,
    "project_manager_id": "b551326b-ac9d-4d32-8823-4f025787dab9",
    "completes_goal": 500,
    "expected_length_of_interview_minutes": 10,
    "expected_incidence_rate": 0.9,
    "exclusion": {"enabled": False, "list": []},
    "respondent_activity_exclusions": [],
    "live_url": _SURVEY,
    "test_url": _SURVEY,
    "profiling": None,
    "status": "live",
    "conversion_rate": 0,
    "drop_off_rate": 0,
    "incidence_rate": 0,
    "median_length_of_interview_seconds": 0,
}
_END = "2030-12-31T23:59:59.000Z"  # ours: far enough for a sandbox that is seeded once


def default_document(created_at: datetime) -> dict[str, Json]:
    """Describe a recontact target group that is ready but for its respondent IDs."""
    created = created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        **_READY,
        "fielding_specification": {"start_at": created, "end_at": _END},
        "allocations": _allocated_by(RECONTACT),
        "created_at": created,
    }


def check_fields(fields: Document, known: Document) -> None:
    """Let fields pass that a read shows.

    Raises:
        ValueError: naming the first field that none does.
    """
    unknown = sorted(fields.keys() - known.keys() - OPTIONAL - BEHIND_THE_READS)
    if unknown:
        raise ValueError(f"no read shows a field {unknown[0]!r}")


def object_in(document: Document, name: str) -> dict[str, Json]:
    """Return a field that is an object; an empty one when it is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def objects_in(document: Document, name: str) -> list[dict[str, Json]]:
    """Return the objects in a field that is a list; none when it is no list."""
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _allocated_by(template: Template) -> Json:
    def shown(suppliers: tuple[tuple[int, str], ...]) -> Json:
        return [{"id": number, "name": name} for number, name in suppliers]

    return {
        "template_id": template.template_id,  # assumed: the guide requires it, the schema does not show it
        "open_exchange_allocations": {
            "exchange_suppliers": shown(template.suppliers),
            "blocked_suppliers": shown(template.blocked),
            "exchange_min_percentage": template.minimum,
            "exchange_max_percentage": template.maximum,
            "groups": [],
        },
        "private_exchange_allocations": {"blocked_suppliers": [], "groups": []},
    }
