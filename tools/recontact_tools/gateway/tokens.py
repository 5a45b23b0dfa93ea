"""The access token: fetched once, shared, renewed before it expires; the old one serves while renewing fails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import anyio

from recontact_tools.errors import NotPermitted, RateLimited, RecontactError, Refused, Unreachable
from recontact_tools.gateway.answers import Answer, Outcome, Unreadable, json_object
from recontact_tools.gateway.circuit import Exchange
from recontact_tools.gateway.requests import Requests
from recontact_tools.gateway.verdicts import settle_read

MARGIN_SECONDS = 300.0  # ours: longer than any exchange that starts with the token
MARGIN_SHARE = 0.1  # ours: so that short-lived tokens are used at all
RENEWAL_PAUSE_SECONDS = 30.0  # ours: ten attempts before a token of a day expires, and none of them in every call
LIFETIME_SECONDS = 3600.0  # assumed: when the answer does not say
LIFETIME_SECONDS_MAX = 86_400.0  # source: cint-api.md section 2.1, the documented one; longer is not believed


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and the moments on the injected clock when it is to be renewed and when it has expired."""

    text: str = field(repr=False)
    renew_at: float
    expires_at: float


class TokenSource:
    """Hand out the token; concurrent callers cause one request, and share its failure."""

    def __init__(
        self,
        requests: Requests,
        *,
        exchange: Exchange,
        now: Callable[[], float],
        secret_source: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._requests = requests
        self._secret_source = secret_source
        self._secret: str | None = None
        self._exchange = exchange
        self._now = now
        self._lock = anyio.Lock()
        self._token: Token | None = None
        self._failure: RecontactError | None = None  # of the last fetch that failed; never raised itself

    async def current(self) -> str:
        """Return a token that has not expired by our clock; one that is being renewed serves until then.

        Raises:
            NotPermitted: The token endpoint refused the credentials.
            RateLimited: It asks for fewer requests.
            Unreachable: It gave no usable answer.
        """
        usable = self._fresh() or (self._valid() if self._lock.locked() else None)
        return usable or await self._replaced()

    async def renew(self, stale: str) -> str:
        """Return another token than *stale*, which the API refused; raises what `current` raises."""
        if self._token is not None and self._token.text == stale:
            self._token = None
        return await self._replaced()

    def _fresh(self) -> str | None:
        token = self._token
        return token.text if token is not None and self._now() < token.renew_at else None

    def _valid(self) -> str | None:
        token = self._token
        return token.text if token is not None and self._now() < token.expires_at else None

    async def _replaced(self) -> str:
        known = self._failure
        async with self._lock:
            found = self._fresh()  # another caller may have replaced it while we waited
            if found is not None:
                return found
            if self._failure is not None and self._failure is not known:
                raise _again(self._failure)  # another caller failed while we waited: we would, too
            self._token = await self._renewed()
            return self._token.text

    async def _renewed(self) -> Token:
        old = self._token
        asked_at = self._now()
        if self._secret is None and self._secret_source is not None:
            self._secret = await self._secret_source()
        outcome = await self._exchange(self._requests.token(self._secret))
        try:
            return _settle(outcome, asked_at)
        except RecontactError as error:
            if isinstance(error, NotPermitted):
                self._secret = None  # it may have been changed: the next fetch reads it again
            if old is not None and self._token is old and self._now() < old.expires_at:  # nobody saw it refused
                return replace(old, renew_at=min(old.expires_at, self._now() + RENEWAL_PAUSE_SECONDS))
            self._failure = _again(error)
            raise


def _settle(outcome: Outcome, asked_at: float) -> Token:
    try:
        return settle_read(outcome, lambda answer: _read_token(answer, asked_at))
    except RateLimited:
        raise
    except Refused as error:
        raise NotPermitted(
            "The token endpoint did not accept the client id and secret.",
            next_step="Check the client id, the client secret and the token URL.",
            details=error.details,
        ) from None
    except Unreachable as error:
        raise Unreachable(
            "No access token could be fetched; nothing was done.",
            next_step="Check the network and the token URL, then try again.",
            code=error.code,
            details=error.details,
        ) from None


def _again(error: RecontactError) -> RecontactError:
    """Return an error that says the same; one that was raised holds on to what it passed through."""
    return type(error)(error.message, next_step=error.next_step, code=error.code, details=error.details)


def _read_token(answer: Answer, asked_at: float) -> Token:
    found = json_object(answer.body)
    text = found.get("access_token")
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or not text.strip():
        raise Unreadable
    lifetime = _lifetime(found.get("expires_in"))
    expires_at = asked_at + lifetime
    return Token(text, expires_at - min(MARGIN_SECONDS, lifetime * MARGIN_SHARE), expires_at)


def _lifetime(seconds: object) -> float:
    if not isinstance(seconds, int | float) or not seconds > 0:  # NaN is not above zero either
        return LIFETIME_SECONDS
    return float(min(seconds, LIFETIME_SECONDS_MAX))  # in this order: JSON has integers that no float holds
