"""The reads of allocations: of a launched target group, and of the global templates that fill them."""

from recontact_service.documents import object_in, objects_in
from recontact_service.pages import page_of
from recontact_service.problems import Answer, as_json, bad_parameter, not_found
from recontact_service.requests import Request, document_of, launched, query_of
from recontact_service.templates import TEMPLATES, Template
from recontact_service.values import Document, Json

_LAST_MODIFIED: dict[str, Json] = {
    "last_modified_at": "2025-01-07T09:00:00Z",
    "last_modified_by": "b551326b-ac9d-4d32-8823-4f025787dab9",
}
_SUPPLIER_LISTS = ("exchange_suppliers", "blocked_suppliers")


def get_allocations(request: Request) -> Answer:
    """Answer the allocations of a launched target group; assumed: they never name the template they came from."""
    allocations = object_in(launched(document_of(request)).document, "allocations")
    opened = object_in(allocations, "open_exchange_allocations")
    private = object_in(allocations, "private_exchange_allocations")
    return as_json(
        {
            "open_exchange_allocations": {
                "exchange_min_percentage": 0,
                "exchange_max_percentage": 100,
                **opened,
                **{name: _counted(opened, name) for name in _SUPPLIER_LISTS},
                "groups": [
                    {**group, "suppliers": _counted(group, "suppliers")} for group in objects_in(opened, "groups")
                ],
            },
            "private_exchange_allocations": {
                "blocked_suppliers": _counted(private, "blocked_suppliers"),
                "groups": [*objects_in(private, "groups")],
            },
        }
    )


def list_templates(request: Request) -> Answer:
    """Answer a page of the global templates; here an empty cursor is the end."""
    listed: dict[str, Json] = {
        key: {"template_id": key, "name": template.name, **_LAST_MODIFIED} for key, template in TEMPLATES.items()
    }
    shown, following = page_of(listed, query_of(request), settings=request.parts.settings)
    return as_json({"templates": shown, "has_more": following is not None, "next_cursor": following or ""})


def get_template(request: Request) -> Answer:
    """Answer a global template as it is for everyone."""
    template = TEMPLATES.get(request.route.ids["template_id"])
    if template is None:
        raise not_found()
    allocations: list[Json] = [
        {
            "type": "exchange",
            "percentage_min": template.minimum,
            "percentage_max": template.maximum,
            "suppliers": _typed(template.suppliers),
        },
        {"type": "blocked", "suppliers": _typed(template.blocked)},
    ]
    answer = as_json({"template_id": template.template_id, "name": template.name, "supply_allocations": allocations})
    return Answer(answer.status, answer.body, (*answer.headers, (b"etag", b'W/"1"')))


def get_template_of_unit(request: Request) -> Answer:
    """Answer a global template as it applies to a business unit and locale; assumed: as it is for everyone.

    Its list of answers holds no 404; assumed: a template that there is not is a bad request.
    """
    if not query_of(request).get("locale"):
        raise bad_parameter("locale", "is required")
    template = TEMPLATES.get(request.route.ids["template_id"])
    if template is None:
        raise bad_parameter("template_id", "names no template")
    return as_json(
        {
            "template_id": template.template_id,
            "template_name": template.name,
            "open_exchange_allocations": _opened(template),
            "private_exchange_allocations": {"blocked_suppliers": []},
            **_LAST_MODIFIED,
        }
    )


def _opened(template: Template) -> Json:
    return {
        "exchange_suppliers": _named(template.suppliers),
        "blocked_suppliers": _named(template.blocked),
        "exchange_min_percentage": template.minimum,
        "exchange_max_percentage": template.maximum,
        "groups": [],
    }


def _counted(document: Document, name: str) -> list[Json]:
    return [{"completes": 0, "pre_screens": 0, **supplier} for supplier in objects_in(document, name)]


def _named(suppliers: tuple[tuple[int, str], ...]) -> list[Json]:
    """Name suppliers as the templates of a business unit do: their ids are texts there."""
    return [{"supplier_id": str(number), "supplier_name": name} for number, name in suppliers]


def _typed(suppliers: tuple[tuple[int, str], ...]) -> list[Json]:
    return [{"supplier_id": number, "name": name, "type": "survey_panels"} for number, name in suppliers]
