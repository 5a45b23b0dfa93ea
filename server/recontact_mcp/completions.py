"""Completion of ids that are known here: target groups, their account and project, and jobs."""

from mcp.server.mcpserver import MCPServer
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from recontact_mcp.opening import Opening
from recontact_mcp.scopes import READING, check_scopes
from recontact_tools.errors import InvalidInput, NotAllowed, Unreachable
from recontact_tools.guardrails import is_number
from recontact_tools.locating import located_before
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import may_read
from recontact_tools.runtime import Runtime

# source: MCP, completion/complete answers at most 100 values
VALUES_MAX = 100


def add_completions(server: MCPServer[Opening], opening: Opening) -> None:
    """Serve completion/complete from the settings and the ledger."""

    @server.completion()
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion:
        try:
            check_scopes(opening.caller().scopes, READING)
            runtime = await opening.runtime()
        except (Unreachable, NotAllowed):
            return Completion(values=[])  # a courtesy: whoever calls a tool is told what is wrong
        chosen = (context.arguments if context else None) or {}
        values = await _values(runtime, ref, argument, chosen)
        return Completion(values=values[:VALUES_MAX], total=len(values), has_more=len(values) > VALUES_MAX)


async def _values(
    runtime: Runtime,
    ref: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    chosen: dict[str, str],
) -> list[str]:
    if argument.name == "job_id":
        removal = isinstance(ref, ResourceTemplateReference) and "removal-jobs" in ref.uri
        return await _jobs(runtime, JobKind.REMOVAL if removal else JobKind.UPLOAD, argument.value, chosen)
    if argument.name == "target_group_id":
        known = await runtime.ledger.known_target_groups(argument.value.upper(), VALUES_MAX + 1)
        if runtime.rules.policy.allows_everywhere:
            return list(known)
        return [group_id for group_id in known if await _chosen_group(runtime, {"target_group_id": group_id})]
    if argument.name in {"project_id", "account_id"}:
        values = [str(value) for value in await _parts(runtime, argument.name, chosen) if value is not None]
        return [value for value in values if value.startswith(argument.value)]
    return []


async def _jobs(runtime: Runtime, kind: JobKind, prefix: str, chosen: dict[str, str]) -> list[str]:
    group = await _chosen_group(runtime, chosen)
    if group is None and not runtime.rules.policy.allows_everywhere:
        return []
    return list(await runtime.ledger.known_jobs(kind, group, prefix=prefix, limit=VALUES_MAX + 1))


async def _parts(runtime: Runtime, name: str, chosen: dict[str, str]) -> list[str | int | None]:
    """Return where jobs of the chosen target group were started, else what the operator configured."""
    places = await runtime.ledger.places(chosen.get("target_group_id", "").strip().upper())
    shown = [place for place in places if may_read(runtime.rules.policy, place)]
    if name == "project_id":
        return list(dict.fromkeys(place.project_id for place in shown)) or [runtime.rules.project_id]
    return list(dict.fromkeys(place.account_id for place in shown)) or [runtime.rules.account_id]


async def _chosen_group(runtime: Runtime, chosen: dict[str, str]) -> TargetGroup | None:
    """Return the target group that was completed before, if it was and the allow-lists hold it."""
    if "target_group_id" not in chosen:
        return None
    account = chosen.get("account_id", "")
    try:
        return await located_before(
            runtime, chosen["target_group_id"], chosen.get("project_id"), int(account) if is_number(account) else None
        )
    except (InvalidInput, NotAllowed):
        return None  # what was chosen names no target group that may be looked at, so it narrows nothing
