"""From what the API itself answered to what a person is told: pure functions."""

from http import HTTPStatus
from typing import Final

from recontact_mcp.cli.doctor_words import URLS, unusable
from recontact_mcp.cli.findings import Finding
from recontact_tools.errors import NotFound
from recontact_tools.gateway.probing import Reply
from recontact_tools.versions import VERSIONS, Features, version_named

# source: cint-api.md sections 2.2 and 2.4
_ENVELOPE_MISSING: Final = "required_header_missing"
_NOT_FOUND: Final = "not_found_error"
_CINTS_PATH: Final = "/v1"  # source: cint-api.md section 1
_BASE_URL: Final = "Check CINT_BASE_URL, with its path; Cint's is https://api.cint.com/v1."


def answers_usably(reply: Reply) -> bool:
    """Tell whether the API carried the read out: it counted the target group's IDs, or looked for it in vain."""
    return reply.has_count or looked_in_vain(reply)


def looked_in_vain(reply: Reply) -> bool:
    """Tell whether it is the API's own word for what is not there, be it the target group or the whole path."""
    return reply.status == HTTPStatus.NOT_FOUND and reply.error_object == _NOT_FOUND


def unknown_path(name: str, asked: str, study_types: Reply, *, path: str) -> Finding | None:
    """Say that the API knows no path below the base URL's *path*, not even that of the study types; None if it does.

    Where the path is Cint's own that is only odd: the list may be closed to an account.
    """
    if study_types.status != HTTPStatus.NOT_FOUND:
        return None
    seen = f"what answers at {study_types.host} below {path or '/'} is not the Cint API: no path of it is known there"
    if path != _CINTS_PATH:
        return Finding(name, "fail", seen, _BASE_URL)
    seen = f"{asked}; but the list of study types, which is for everybody, is not known at {study_types.host}"
    return Finding(name, "warn", seen, _BASE_URL)


def version(name: str, asked: str, reply: Reply, *, instead: str | None) -> Finding:
    """Say whether the API accepts the version *asked*; *instead* is one that it does accept in its place."""
    if reply.error_object == _ENVELOPE_MISSING:
        seen = "the API does not see the version header that every request carries"
        return Finding(name, "fail", seen, "A proxy removes the header Cint-API-Version: ask for it to be let through.")
    if instead is not None:
        cure = f"Set CINT_API_VERSION={instead}, or ask Cint to enable {asked} for this account."
        return Finding(name, "fail", f"{asked} is refused, {instead} is accepted", cure)
    if (unusual := unusable(name, reply, "API")) is not None:
        return unusual
    if not answers_usably(reply) and reply.status not in {400, 401, 403}:
        seen = f"what answers at {reply.host} is not the Cint API (HTTP {reply.status}, not in its form)"
        return Finding(name, "fail", seen, _BASE_URL)
    return _accepted(name, asked, reply)


def _accepted(name: str, asked: str, reply: Reply) -> Finding:
    if not version_named(asked).is_known:
        made_for = " and ".join(one.name for one in VERSIONS)
        return Finding(name, "warn", f"{asked} is one that nobody tried", f"recontact-mcp was made for {made_for}.")
    if answers_usably(reply):
        return Finding(name, "ok", asked)
    if reply.error_object is None:
        seen = f"{asked}; but the answer (HTTP {reply.status}) does not look like one of the Cint API"
        return Finding(name, "warn", seen, _BASE_URL)
    return Finding(name, "ok", f"{asked} is not what is refused")


def account(name: str, account_id: int | None, reply: Reply) -> Finding:
    """Say whether the credentials may be used for the account; None is an account that nobody named."""
    if answers_usably(reply):
        return Finding(name, "ok", f"{account_id} is not refused" if account_id else "none was named")
    if reply.status == HTTPStatus.UNAUTHORIZED:
        seen = "the API does not accept the token that it was given"
        cure = f"{URLS}: they must belong to the same environment. Then ask Cint about the credentials."
        return Finding(name, "fail", seen, cure)
    if reply.status == HTTPStatus.BAD_REQUEST:
        cure = "Check CINT_ACCOUNT_ID and CINT_PROJECT_ID: they are in the URLs of your pages at Cint."
        return Finding(name, "fail", "the API finds a mistake in the account or the project", cure)
    if account_id is None:
        seen = "without an account the API does not say what is permitted"
        return Finding(name, "warn", seen, "Set CINT_ACCOUNT_ID and look again.")
    seen = f"these credentials may not use account {account_id}, or recontacts are not enabled for it"
    cure = (
        "Check CINT_ACCOUNT_ID: it is in the URLs of your account's pages. If it is right, ask Cint for the permission."
    )
    return Finding(name, "fail", seen, cure)


def group_not_found(name: str, told: NotFound) -> Finding:
    """Say where the target group is instead, or where it was looked for, as `why_not_found` *told* it."""
    details = told.details
    if (project_id := details.get("project_id")) is not None:
        account_id = details["account_id"]
        seen = f"{told.message} It is in account {account_id}, project {project_id}."
        cure = (
            f"If it is the one you mean, set CINT_ACCOUNT_ID={account_id} and CINT_PROJECT_ID={project_id}, or name it"
            " by its Cint URL."
        )
        return Finding(name, "fail", seen, cure)
    if details.keys().isdisjoint({"looked_in", "http_status"}):
        return Finding(name, "fail", told.message, told.next_step)
    cure = "Check the id and CINT_PROJECT_ID and CINT_ACCOUNT_ID, or paste its Cint URL; a draft is only found so."
    return Finding(name, "fail", told.message, cure)


def features(name: str, found: Features) -> Finding:
    """Say which of the newer operations the account lacks, and what that means."""
    if all((found.job_list, found.download, found.rid_upload)):
        return Finding(name, "ok", "the job list, the download of files and the upload of RIDs are there")
    lacks = {
        "the job list": found.job_list,
        "the download of uploaded files": found.download,
        "the upload of RIDs": found.rid_upload,
    }
    return Finding(
        name,
        "warn",
        f"this account has not {', nor '.join(what for what, there in lacks.items() if not there)}",
        "RSIDs are uploaded all the same, on the older path. Without the list, jobs of others are seen only once they"
        " refuse a job of yours, and an upload whose answer was lost stays OUTCOME_UNKNOWN instead of being looked up."
        " Ask Cint to enable them, and use CINT_API_VERSION=2025-12-18.",
    )
