"""Reading allocations: of a target group, and of the template it should have; the two name suppliers differently."""

from recontact_tools.gateway.answers import Answer, Unreadable, json_object
from recontact_tools.gateway.fields import Fields, fields, key, label, number, rows, text
from recontact_tools.target_group_facts import Allocated, Allocations

_OPEN, _PRIVATE = "open_exchange_allocations", "private_exchange_allocations"
# source: cint-api.md section 3.2, note A: `supplier_id`, a text, in templates; `id`, a number, in target groups
_SUPPLIER = ("supplier_id", "id")


def read_allocations(answer: Answer) -> Allocations:
    """Read the allocations of a launched target group, or of a template as it applies to a business unit.

    Raises:
        Unreadable: It shows neither allocations nor a template.
    """
    found = json_object(answer.body)
    found = {**found, **(fields(found, "allocations") or {})}
    if found.keys().isdisjoint({_OPEN, _PRIVATE, "template_id"}):
        raise Unreadable
    return allocations_in(found)


def allocations_in(found: Fields) -> Allocations:
    """Return what an object says of allocations; a part that it does not show, or not whole, is None."""
    opened, private = fields(found, _OPEN) or {}, fields(found, _PRIVATE) or {}
    template_id = text(found, "template_id")
    return Allocations(
        template_id=template_id.upper() if template_id else None,
        name=label(found, "template_name"),
        minimum=number(opened, "exchange_min_percentage"),
        maximum=number(opened, "exchange_max_percentage"),
        suppliers=_suppliers(opened, "exchange_suppliers"),
        blocked=_suppliers(opened, "blocked_suppliers"),
        groups=_groups(opened),
        private_blocked=_suppliers(private, "blocked_suppliers"),
    )


def _groups(opened: Fields) -> frozenset[Allocated] | None:
    lines = rows(opened, "groups")
    if lines is None:
        return None
    allocated: set[Allocated] = set()
    for line in lines:
        suppliers = _suppliers(line, "suppliers")
        if suppliers is None:
            return None
        allocated.add(Allocated(number(line, "min_percentage"), number(line, "max_percentage"), suppliers))
    return frozenset(allocated)


def _suppliers(found: Fields, name: str) -> frozenset[str] | None:
    lines = rows(found, name)
    if lines is None:
        return None
    ids = [next(filter(None, (key(line, field) for field in _SUPPLIER)), None) for line in lines]
    whole = [supplier for supplier in ids if supplier]
    return frozenset(whole) if len(whole) == len(ids) else None
