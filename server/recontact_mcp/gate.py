"""Who may watch what: the same rule as for reading, for one URI and in the one spelling that updates carry."""

from collections.abc import Iterable
from dataclasses import dataclass

from mcp.shared.uri_template import UriTemplate

from recontact_mcp.boundary import RecontactServer
from recontact_mcp.refusing import no_such_resource
from recontact_tools.errors import InvalidInput
from recontact_tools.guardrails import is_number, target_group_checked
from recontact_tools.ledger import JobKey
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import Policy, check_read
from recontact_tools.uris import REMOVAL_JOB, UPLOAD_JOB

_JOBS = {UPLOAD_JOB: JobKind.UPLOAD, REMOVAL_JOB: JobKind.REMOVAL}


@dataclass(frozen=True, slots=True)
class Watchable:
    """A URI that may be watched; *job* is what it names, if that is a job."""

    uri: str
    job: JobKey | None = None


async def watchable(server: RecontactServer, policy: Policy, uri: str) -> Watchable:
    """Accept a URI that could be read here and that updates can name.

    Raises:
        MCPError: There is no such resource.
        InvalidInput: An id in it is malformed, or it is not spelt as updates are.
        NotAllowed: The policy does not let its target group be looked at.
    """
    if uri in {str(resource.uri) for resource in await server.list_resources()}:
        return Watchable(uri)
    templates = (template.uri_template for template in await server.list_resource_templates())
    template, ids = _matched(templates, uri)
    group = _group(ids)
    check_read(policy, group)
    names = {"account_id": str(group.account_id), "project_id": group.project_id}
    canonical = UriTemplate.parse(template).expand({**ids, **names, "target_group_id": group.target_group_id})
    if uri != canonical:
        raise InvalidInput(
            "Updates name this resource by another spelling of its URI, so nothing would ever be heard.",
            next_step="Subscribe to the resource_uri exactly as a tool answers it: ids in upper case, no blanks.",
            safe_to_repeat=True,
        )
    kind = _JOBS.get(template)
    return Watchable(uri, JobKey(kind, group, ids["job_id"]) if kind else None)


def _matched(templates: Iterable[str], uri: str) -> tuple[str, dict[str, str]]:
    for template in templates:
        found = UriTemplate.parse(template).match(uri)
        if found is not None:
            return template, {name: str(value) for name, value in found.items()}
    raise no_such_resource(uri)


def _group(ids: dict[str, str]) -> TargetGroup:
    account = ids.get("account_id", "")
    return target_group_checked(
        ids.get("target_group_id", ""), ids.get("project_id", ""), int(account) if is_number(account) else -1
    )
