"""From what was seen on the way to the API to what a person is told: pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from recontact_mcp.cli.findings import Finding
from recontact_tools.gateway.causes import Cause
from recontact_tools.gateway.probing import Reply, Trouble
from recontact_tools.versions import VERSIONS, Features, version_named

# ours: no server's clock is that far off, and no answer takes so long; plans and waits are judged by ours.
CLOCK_SECONDS_MAX: Final = 300.0
_ENVELOPE_MISSING: Final = "required_header_missing"  # source: cint-api.md section 2.2


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a cause; `{host}` in *seen* stands for the host that did not answer."""

    seen: str
    cure: str


_URLS = "Check CINT_BASE_URL and CINT_AUTH_URL"
_CLOCK = "Check the date of this machine first. If it is right, tell whoever runs the host or the proxy before it."
_WORDS: Mapping[Cause, Words] = {
    Cause.NAME_UNKNOWN: Words(
        "the name of {host.host} cannot be resolved",
        f"{_URLS} (and CINT_PROXY), and this machine's DNS. Where only a proxy leads out, set CINT_PROXY.",
    ),
    Cause.CONNECTION_REFUSED: Words(
        "{host} refuses connections",
        f"{_URLS}; start the service if it is one of yours. Where only a proxy leads out, set CINT_PROXY.",
    ),
    Cause.NO_ROUTE: Words("no way leads to {host}", "Check this machine's network, and its VPN if it needs one."),
    Cause.TIMED_OUT: Words(
        "{host} did not answer in time",
        "A firewall may swallow the connection: set CINT_PROXY if your network has a proxy. On a very slow line, raise"
        " CINT_CONNECT_SECONDS and CINT_READ_SECONDS.",
    ),
    Cause.PROXY_CREDENTIALS: Words(
        "the proxy wants a user name and a password before it connects to {host}",
        "Put them into CINT_PROXY: http://user:password@host:port.",
    ),
    Cause.PROXY_REFUSED: Words(
        "the proxy does not connect to {host}",
        "Ask whoever runs the proxy to allow this host, or set CINT_PROXY to another one.",
    ),
    Cause.CERTIFICATE_EXPIRED: Words("the certificate of {host} has expired, by this machine's clock", _CLOCK),
    Cause.CERTIFICATE_NOT_YET_VALID: Words(
        "the certificate of {host} is not valid yet, by this machine's clock", _CLOCK
    ),
    Cause.CERTIFICATE_UNTRUSTED: Words(
        "the certificate of {host} is signed by nobody that this machine trusts",
        "If a proxy of your company looks into https, set CINT_CA_BUNDLE to a PEM file with its authority's"
        " certificate. Otherwise somebody else may be answering: send nothing.",
    ),
    Cause.CERTIFICATE_OTHER_HOST: Words(
        "the certificate that {host} shows is for another name",
        f"{_URLS}: a name is expected that the certificate holds. Otherwise somebody else may be answering.",
    ),
    Cause.CERTIFICATE_BAD: Words("the certificate of {host} is not acceptable", f"{_URLS}, or ask who runs the host."),
    Cause.NOT_TLS: Words("{host} does not speak TLS as expected", f"{_URLS}, and their ports: https is spoken there."),
    Cause.BROKEN_OFF: Words(
        "{host} breaks the connection off before it answers",
        "Look again in a few minutes. If it stays, a firewall or proxy may be doing it.",
    ),
}
_LATER = "Look again in a few minutes."
_FRONT = "Ask your network's people whether a firewall or proxy does it, and Cint whether your address is allowed."


def trouble(name: str, found: Trouble) -> Finding:
    """Say what was in the way of any answer."""
    said = _WORDS[found.cause]
    return Finding(name, "fail", said.seen.format(host=found.host), said.cure)


def token_refused(name: str, reply: Reply) -> Finding:
    """Say why an answer of the token endpoint brought no token."""
    status = reply.status
    if status in {400, 401, 403} and reply.is_json:
        return Finding(
            name,
            "fail",
            "the token endpoint does not accept the client id and secret",
            "Copy CINT_CLIENT_ID and CINT_CLIENT_SECRET again, whole and without blanks. If they are right, ask Cint"
            " whether they are still valid.",
        )
    if (unusual := _unusable(name, reply, "token endpoint")) is not None:
        return unusual
    return Finding(
        name,
        "fail",
        f"what answers is no token endpoint (HTTP {status})",
        "Check CINT_AUTH_URL; Cint's is https://auth.cint.com/oauth/token.",
    )


def _unusable(name: str, reply: Reply, what: str) -> Finding | None:
    """Say what is wrong with an answer that is not the API's own, or None."""
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Finding(name, "fail", f"the {what} asks for fewer requests", _LATER)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Finding(name, "fail", f"the {what} fails (HTTP {reply.status})", _LATER)
    if reply.status == HTTPStatus.FORBIDDEN and not reply.is_json:
        return Finding(name, "fail", f"something in front of the {what} refuses the request (HTTP 403)", _FRONT)
    return None


def clock(name: str, ahead: Iterable[float | None]) -> Finding:
    """Compare our clock with those that dated the answers; the nearest counts, for others may be kept copies."""
    known = [seconds for seconds in ahead if seconds is not None]
    if not known:
        return Finding(name, "skip", "no answer was dated")
    off = min(known, key=abs)
    if abs(off) <= CLOCK_SECONDS_MAX:
        return Finding(name, "ok", "agrees with the API's")
    direction = "ahead of" if off > 0 else "behind"
    cure = "Set this machine's clock: the end of plans, and whether a job is ours, is judged by it."
    return Finding(name, "fail", f"this machine's clock is {abs(off) / 60:,.0f} minutes {direction} the API's", cure)


def answers_usably(reply: Reply) -> bool:
    """Tell whether the API carried the read out: it found the target group, or looked for it."""
    return reply.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}


def version(name: str, asked: str, reply: Reply, *, instead: str | None) -> Finding:
    """Say whether the API accepts the version *asked*; *instead* is one that it does accept in its place."""
    if reply.error_object == _ENVELOPE_MISSING:
        seen = "the API does not see the version header that every request carries"
        return Finding(name, "fail", seen, "A proxy removes the header Cint-API-Version: ask for it to be let through.")
    if instead is not None:
        cure = f"Set CINT_API_VERSION={instead}, or ask Cint to enable {asked} for this account."
        return Finding(name, "fail", f"{asked} is refused, {instead} is accepted", cure)
    if (unusual := _unusable(name, reply, "API")) is not None:
        return unusual
    if reply.status not in {200, 400, 401, 403, 404}:
        cure = "Check CINT_BASE_URL; Cint's is https://api.cint.com/v1."
        return Finding(name, "fail", f"what answers is not the Recontacts API (HTTP {reply.status})", cure)
    return _accepted(name, asked, reply)


def _accepted(name: str, asked: str, reply: Reply) -> Finding:
    if not version_named(asked).is_known:
        made_for = " and ".join(one.name for one in VERSIONS)
        return Finding(name, "warn", f"{asked} is one that nobody tried", f"recontact-mcp was made for {made_for}.")
    if not reply.is_json:
        seen = f"{asked}; but the answer (HTTP {reply.status}) does not look like one of the Recontacts API"
        return Finding(name, "warn", seen, "Check CINT_BASE_URL; Cint's is https://api.cint.com/v1.")
    return Finding(name, "ok", asked if answers_usably(reply) else f"{asked} is not what is refused")


def account(name: str, account_id: int | None, reply: Reply) -> Finding:
    """Say whether the credentials may be used for the account; None is an account that nobody named."""
    if answers_usably(reply):
        return Finding(name, "ok", f"{account_id} is not refused" if account_id else "none was named")
    if reply.status == HTTPStatus.UNAUTHORIZED:
        seen = "the API does not accept the token that it was given"
        cure = f"{_URLS}: they must belong to the same environment. Then ask Cint about the credentials."
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
