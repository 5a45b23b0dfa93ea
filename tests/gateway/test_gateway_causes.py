"""Why an exchange failed: what was raised is read to its first cause."""

import errno
import socket
import ssl
from itertools import pairwise

import httpx
import pytest

from recontact_tools.gateway.causes import Cause, cause_of


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "canary")
    error.verify_code = code
    return error


def because(*errors: BaseException) -> BaseException:
    """Chain errors as `raise first from second` does."""
    for outer, inner in pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(-2, "canary"), Cause.NAME_UNKNOWN),
        (UnicodeError("label too long"), Cause.NAME_UNKNOWN),
        (ConnectionRefusedError(), Cause.CONNECTION_REFUSED),
        (OSError(errno.ENETUNREACH, "canary"), Cause.NO_ROUTE),
        (OSError(errno.EHOSTUNREACH, "canary"), Cause.NO_ROUTE),
        (OSError(errno.EIO, "canary"), Cause.BROKEN_OFF),
        (TimeoutError(), Cause.TIMED_OUT),
        (httpx.ConnectTimeout(""), Cause.TIMED_OUT),
        (httpx.ProxyError("407 Proxy Authentication Required"), Cause.PROXY_CREDENTIALS),
        (httpx.ProxyError("403 Forbidden"), Cause.PROXY_REFUSED),
        (httpx.ProxyError(""), Cause.PROXY_REFUSED),
        (certificate(9), Cause.CERTIFICATE_NOT_YET_VALID),
        (certificate(10), Cause.CERTIFICATE_EXPIRED),
        (certificate(18), Cause.CERTIFICATE_UNTRUSTED),
        (certificate(20), Cause.CERTIFICATE_UNTRUSTED),
        (certificate(62), Cause.CERTIFICATE_OTHER_HOST),
        (certificate(64), Cause.CERTIFICATE_OTHER_HOST),
        (certificate(23), Cause.CERTIFICATE_BAD),
        (ssl.SSLError(1, "canary"), Cause.NOT_TLS),
        (httpx.RemoteProtocolError(""), Cause.BROKEN_OFF),
    ],
)
def test_every_cause_is_told_from_what_was_raised_wherever_it_stands(error: BaseException, cause: Cause) -> None:
    assert cause_of(error) is cause
    assert cause_of(because(httpx.ConnectError(""), OSError("all attempts failed"), error)) is cause
    assert cause_of(because(httpx.ConnectError(""), ExceptionGroup("", [OSError(), error_of(error)]))) is cause


def error_of(error: BaseException) -> Exception:
    assert isinstance(error, Exception)
    return error


def test_what_tls_says_explains_more_than_the_timeout_around_it() -> None:
    assert cause_of(because(httpx.ConnectTimeout(""), certificate(10))) is Cause.CERTIFICATE_EXPIRED


def test_errors_that_go_round_in_a_circle_have_an_end() -> None:
    one, other = OSError(), OSError()
    one.__cause__, other.__cause__ = other, one
    assert cause_of(one) is Cause.BROKEN_OFF
