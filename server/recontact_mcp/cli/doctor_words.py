"""From what was seen on the way to the API to what a person is told: pure functions.

What the API itself answers is put into words by `doctor_answers`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from recontact_mcp.cli.findings import Finding
from recontact_tools.gateway.causes import Cause
from recontact_tools.gateway.endpoints import Proxy
from recontact_tools.gateway.probing import Reply, Trouble

# ours: no server's clock is that far off, and no answer takes so long; plans and waits are judged by ours.
CLOCK_SECONDS_MAX: Final = 300.0


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a cause; `{host}` in *seen* stands for the host that did not answer."""

    seen: str
    cure: str


URLS = "Check CINT_BASE_URL and CINT_AUTH_URL"
_CLOCK = "Check the date of this machine first. If it is right, tell whoever runs the host or the proxy before it."
_WORDS: Mapping[Cause, Words] = {
    Cause.NAME_UNKNOWN: Words(
        "the name of {host.host} cannot be resolved",
        f"{URLS} (and CINT_PROXY), and this machine's DNS. Where only a proxy leads out, set CINT_PROXY.",
    ),
    Cause.CONNECTION_REFUSED: Words(
        "{host} refuses connections",
        f"{URLS}; start the service if it is one of yours. Where only a proxy leads out, set CINT_PROXY.",
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
        f"{URLS}: a name is expected that the certificate holds. Otherwise somebody else may be answering.",
    ),
    Cause.CERTIFICATE_BAD: Words("the certificate of {host} is not acceptable", f"{URLS}, or ask who runs the host."),
    Cause.NOT_TLS: Words("{host} does not speak TLS as expected", f"{URLS}, and their ports: https is spoken there."),
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


def proxy_trouble(name: str, found: Trouble, proxy: Proxy) -> Finding:
    """Say what was in the way to the proxy, and which setting named it: the API's URLs have no part in it."""
    seen = f"the proxy: {_WORDS[found.cause].seen.format(host=found.host)}"
    if proxy.variable is None:
        return Finding(name, "fail", seen, "Check CINT_PROXY, its host and port; unset it if no proxy is needed.")
    cure = (
        f"Check {proxy.variable} of the environment, its host and port, or set CINT_PROXY, which wins over it; where no"
        " proxy is needed, put the API's host into NO_PROXY."
    )
    return Finding(name, "fail", seen, cure)


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
    if (unusual := unusable(name, reply, "token endpoint")) is not None:
        return unusual
    return Finding(
        name,
        "fail",
        f"what answers is no token endpoint (HTTP {status})",
        "Check CINT_AUTH_URL; Cint's is https://auth.cint.com/oauth/token.",
    )


def unusable(name: str, reply: Reply, what: str) -> Finding | None:
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
