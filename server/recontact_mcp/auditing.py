"""What the boundary tells the audit trail: that a tool that can change something was refused, or left unsettled."""

# Imports stand inside the functions that need them: a first tools/list refuses nothing.
# ruff: noqa: PLC0415

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from recontact_tools.errors import InvalidInput, NotAllowed, RecontactError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.mcpserver import Context

    from recontact_mcp.opening import Opening
    from recontact_tools.guardrails import Pasted
    from recontact_tools.ledger.entries import Entry
    from recontact_tools.runtime import Runtime


async def record_failure(
    error: RecontactError, name: str, arguments: Mapping[str, Any], context: Context[Opening, Any]
) -> None:
    """Record that a call of the tool *name*, which can change something, ended with *error*; see `record_end`."""
    await record_end(error, name, arguments, context.request_context.lifespan_context)


async def record_end(error: RecontactError, name: str, arguments: Mapping[str, Any], opening: Opening) -> None:
    """Record that a call of the tool *name*, which can change something, ended with *error*.

    A caller who goes away does not keep it from being recorded. Where nothing can be recorded, nothing can have
    been changed, and the log says so: every change is written with its entry, or not at all. Refusals that repeat one
    another in a loop are counted.
    """
    from recontact_mcp.data_directory import anticipating_faults

    faults = anticipating_faults(database=opening.on_database)
    # Whoever has no entry in the access file has no place in the ledger either.
    with anyio.CancelScope(shield=True), suppress(Unreachable, NotAllowed), faults:
        runtime = await opening.runtime()
        entry, audit = await _entry(runtime, error, name, arguments), runtime.ledger.audit
        await (audit.record_refusal(entry) if error.changed == "no" else audit.record(entry))


async def _entry(runtime: Runtime, error: RecontactError, name: str, arguments: Mapping[str, Any]) -> Entry:
    from recontact_tools.ledger.entries import Entry, Event

    setting = error.details.get("setting")
    entry = Entry(
        at=runtime.clock.now(),
        principal=runtime.principal,
        event=Event.CALL_REFUSED if error.changed == "no" else Event.CALL_UNSETTLED,
        subject=name,
        detail={"code": error.code.value} | ({"setting": setting} if isinstance(setting, str) else {}),
    )
    place = await _place(runtime, arguments)
    if place is None:
        return entry
    return replace(
        entry, account_id=place.account_id, project_id=place.project_id, target_group_id=place.target_group_id
    )


async def _place(runtime: Runtime, arguments: Mapping[str, Any]) -> Pasted | None:
    """Return the target group that a call named, checked and completed as far as that takes no request.

    None when it named none that is one: what stood there instead may be anything.
    """
    from recontact_tools.guardrails import Pasted, read_pasted, with_arguments

    account, project = arguments.get("account_id"), arguments.get("project_id")
    try:
        pasted = read_pasted(str(arguments.get("target_group_id")))
        named = with_arguments(
            pasted, project if isinstance(project, str) else None, account if isinstance(account, int) else None
        )
    except InvalidInput:
        return None
    known = runtime.places.get(named.target_group_id)
    if known is None:
        known = next(iter(await runtime.ledger.places(named.target_group_id)), None)
    rules = runtime.rules
    return Pasted(
        named.target_group_id,
        named.project_id or (known.project_id if known else rules.project_id),
        named.account_id or (known.account_id if known else rules.account_id),
    )
