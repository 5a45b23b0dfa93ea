"""The allocation template: verified, mismatched, or said to be neither; never guessed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from readiness_answers import finding
from scripted_api import TEMPLATE, ScriptedApi, allocations_document, template_document

Check = Callable[..., Awaitable[dict[str, Any]]]

pytestmark = pytest.mark.anyio

APPLIED = f"/demand/accounts/101/business-units/3337/global-allocation-templates/{TEMPLATE}"
OTHER_TEMPLATE = "01JH0PEGPC4Z8RDD304E2SF0EX"


async def test_the_shown_template_id_decides_and_spares_the_comparison(api: ScriptedApi, check: Check) -> None:
    api.be_draft(allocations={"template_id": TEMPLATE.lower()})
    assert "allocations" in (await check())["passed"]
    api.be_draft(allocations={**allocations_document(), "template_id": OTHER_TEMPLATE})
    found = finding(await check(), "allocations")
    assert (found["severity"], "mismatched" in found["seen"]) == ("risk", True)
    assert TEMPLATE in found["mend"]
    assert api.asked[APPLIED] == 0


async def test_the_operators_template_is_the_one_that_is_expected(api: ScriptedApi, check: Check) -> None:
    api.be_draft(allocations={"template_id": OTHER_TEMPLATE})
    assert "allocations" in (await check(template_id=OTHER_TEMPLATE))["passed"]


@pytest.mark.parametrize("unit", [3337, "3337"], ids=["number", "text"])
@pytest.mark.parametrize("where", ["draft", "launched"])
async def test_without_an_id_the_template_of_the_business_unit_is_compared(
    api: ScriptedApi, check: Check, where: str, unit: int | str
) -> None:
    if where == "draft":
        api.be_draft(allocations=allocations_document(), business_unit_id=unit)
    else:
        api.be_launched(business_unit_id=unit)
        api.say("/allocation-specification", allocations_document())
    api.say_at(APPLIED, template_document())
    assert "allocations" in (await check())["passed"], "ids are numbers here and texts there, in another order"
    assert api.queries[APPLIED] == ["locale=eng_us"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"exchange_max_percentage": 90}, "exchange_max_percentage"),
        ({"exchange_min_percentage": "5"}, "exchange_min_percentage"),
        ({"exchange_suppliers": [{"id": 980}]}, "exchange_suppliers"),
        ({"blocked_suppliers": []}, "blocked_suppliers"),
        ({"groups": []}, "groups"),
    ],
)
async def test_every_difference_is_a_mismatch_and_named(
    api: ScriptedApi, check: Check, change: dict[str, object], field: str
) -> None:
    api.be_launched()
    api.say("/allocation-specification", allocations_document(**change))
    api.say_at(APPLIED, template_document())
    found = finding(await check(), "allocations")
    assert found["seen"].startswith(f"mismatched: {field} differ")
    assert "allocation-specification" in found["mend"]


@pytest.mark.parametrize(
    "change",
    [
        {"exchange_max_percentage": None},
        {"exchange_max_percentage": "many"},
        {"exchange_suppliers": None},
        {"exchange_suppliers": ["7"]},
        {"blocked_suppliers": [{"name": "without an id"}]},
        {"groups": "none"},
        {"groups": [{"min_percentage": 0, "max_percentage": 1}]},
    ],
)
async def test_what_is_not_shown_cannot_be_verified(api: ScriptedApi, check: Check, change: dict[str, object]) -> None:
    api.be_draft(allocations=allocations_document(**change))
    api.say_at(APPLIED, template_document())
    answer = await check()
    found = finding(answer, "allocations")
    assert found["severity"] == "info"
    assert found["seen"].startswith("not verified: cannot verify the template, not shown: ")
    assert answer["ready"] is True, "a template nobody can see keeps nobody from launching"


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [({}, 404, "404"), ({}, 403, "does not permit"), (b"<html>", 200, "documented shape"), ({}, 500, "500")],
)
async def test_a_template_that_is_not_told_cannot_be_verified(
    api: ScriptedApi, check: Check, body: object, status: int, why: str
) -> None:
    api.be_draft(allocations=allocations_document())
    api.say_at(APPLIED, body, status)
    seen = finding(await check(), "allocations")["seen"]
    assert seen.startswith("not verified: cannot verify")
    assert why in seen


@pytest.mark.parametrize("missing", ["business_unit_id", "locale"])
async def test_without_a_business_unit_or_locale_no_template_is_asked_for(
    api: ScriptedApi, check: Check, missing: str
) -> None:
    api.be_draft(**{"allocations": allocations_document(), missing: None})
    assert "business unit or locale" in finding(await check(), "allocations")["seen"]
    assert not any("global-allocation-templates" in path for path in api.asked)


async def test_allocations_that_are_not_shown_cannot_be_verified(api: ScriptedApi, check: Check) -> None:
    api.be_draft(allocations=None)
    assert "not verified" in finding(await check(), "allocations")["seen"]
    api.be_launched()
    api.say("/allocation-specification", {"something": "else"})
    assert "documented shape" in finding(await check(), "allocations")["seen"]
