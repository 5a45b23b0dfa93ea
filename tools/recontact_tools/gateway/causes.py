"""Why an exchange failed before any answer came: a pure reading of what was raised, to the very first cause."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, cast

import httpx


class Cause(StrEnum):
    """What was in the way, as a person who can mend it would name it."""

    NAME_UNKNOWN = "name_unknown"
    CONNECTION_REFUSED = "connection_refused"
    NO_ROUTE = "no_route"
    TIMED_OUT = "timed_out"
    PROXY_CREDENTIALS = "proxy_credentials"
    PROXY_REFUSED = "proxy_refused"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_OTHER_HOST = "certificate_other_host"
    CERTIFICATE_BAD = "certificate_bad"
    NOT_TLS = "not_tls"
    BROKEN_OFF = "broken_off"


# source: OpenSSL, x509_vfy.h, X509_V_ERR_*
_CERTIFICATES: Final = {
    9: Cause.CERTIFICATE_NOT_YET_VALID,
    10: Cause.CERTIFICATE_EXPIRED,
    18: Cause.CERTIFICATE_UNTRUSTED,  # self-signed
    19: Cause.CERTIFICATE_UNTRUSTED,  # self-signed in the chain
    20: Cause.CERTIFICATE_UNTRUSTED,  # issuer not found
    21: Cause.CERTIFICATE_UNTRUSTED,  # first certificate not verified
    62: Cause.CERTIFICATE_OTHER_HOST,
    64: Cause.CERTIFICATE_OTHER_HOST,  # of an IP address
}
_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_DEPTH_MAX: Final = 20  # ours: several times as deep as httpx, httpcore and anyio nest what they raise


def cause_of(error: BaseException) -> Cause:
    """Return the most telling cause among *error* and what led to it."""
    found = {cause for one in _chain(error, _DEPTH_MAX) if (cause := _named(one)) is not None}
    # The declaration's order is not that of telling: what TLS or a proxy says explains the rest.
    for cause in (*_CERTIFICATES.values(), Cause.CERTIFICATE_BAD, Cause.NOT_TLS):
        if cause in found:
            return cause
    return next((cause for cause in Cause if cause in found), Cause.BROKEN_OFF)


def _chain(error: BaseException, depth: int) -> Iterator[BaseException]:
    """Walk what was raised and why; several addresses of a host fail as a group."""
    yield error
    if depth == 0:
        return
    if isinstance(error, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _chain(one, depth - 1)
    if (before := error.__cause__ or error.__context__) is not None:
        yield from _chain(before, depth - 1)


def _named(error: BaseException) -> Cause | None:
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, httpx.ProxyError):
        return _of_proxy(error)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, UnicodeError):  # a label of the name is empty or too long
        return Cause.NAME_UNKNOWN
    return Cause.TIMED_OUT if isinstance(error, httpx.TimeoutException) else None


def _of_tls(error: ssl.SSLError) -> Cause:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(error.verify_code, Cause.CERTIFICATE_BAD)
    return Cause.NOT_TLS


def _of_proxy(error: httpx.ProxyError) -> Cause:
    # source: httpcore, which begins the text with the status of the proxy's answer
    status = re.match(r"\d{3}", str(error))
    return Cause.PROXY_CREDENTIALS if status and status[0] == "407" else Cause.PROXY_REFUSED


def _of_system(error: OSError) -> Cause | None:
    if isinstance(error, socket.gaierror):
        return Cause.NAME_UNKNOWN
    if isinstance(error, ConnectionRefusedError):
        return Cause.CONNECTION_REFUSED
    if isinstance(error, TimeoutError):
        return Cause.TIMED_OUT
    return Cause.NO_ROUTE if error.errno in _NO_ROUTE else None
