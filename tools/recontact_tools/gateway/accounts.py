"""What this process remembers of each account: whose turn it is, and what asking once more would not change."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.turns import Rate, Turns, rate_of

if TYPE_CHECKING:
    from recontact_tools.versions import Features

T = TypeVar("T")

ACCOUNTS_MAX = 256  # ours: more accounts than one server works with, at about 2 KB each
REFUSED_SECONDS = 60.0  # ours: a permission that comes late is seen a minute later; each look costs a token
_PREFIX = "/demand/accounts/"


class Memory(Generic[T]):
    """Hold one value for a while, on the injected clock; its repr does not show the value."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._value: T | None = None
        self._until = 0.0

    def keep(self, value: T, seconds: float) -> None:
        """Remember *value* for *seconds* instead of what was remembered."""
        self._value, self._until = value, self._now() + seconds

    def get(self) -> T | None:
        """Return what is remembered, if anything still is."""
        return self._value if self._value is not None and self._now() < self._until else None


class Account:
    """One account: *turns* (None limits nothing), a fresh token it refused, and which features it was seen to have."""

    def __init__(self, turns: Turns | None, now: Callable[[], float]) -> None:
        self.turns = turns
        self.features: Memory[Features] = Memory(now)
        self._refused_token: Memory[str] = Memory(now)

    def refuses(self, token: str) -> bool:
        """Tell whether *token* was fresh when the account refused it, so that a fresher one would not help."""
        return token == self._refused_token.get()

    def note_refused(self, token: str) -> None:
        """Remember that a fresh *token* did not help; not in this process, where another one costs next to nothing."""
        if self.turns is not None:
            self._refused_token.keep(token, REFUSED_SECONDS)


class Accounts:
    """Find the account that a path is about; the paths that name none share one."""

    def __init__(
        self,
        connection: Connection,
        *,
        polite: bool,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        limited = connection.requests_at_once is not None or connection.requests_per_second is not None
        self._at_once = connection.requests_at_once
        self._rate = rate_of(connection.requests_per_second) if polite or limited else None
        self._now = now
        self._sleep = sleep
        self._jitter = jitter
        self._known: dict[str, Account] = {}

    def of(self, path: str) -> Account:
        """Return the account of a path below the base URL."""
        name = path[len(_PREFIX) :].partition("/")[0] if path.startswith(_PREFIX) else ""
        return self._known.get(name) or self._new(name)

    def _new(self, name: str) -> Account:
        if len(self._known) >= ACCOUNTS_MAX:
            self._known = {name: one for name, one in self._known.items() if one.turns and not one.turns.is_idle}
        turns = self._turns(self._rate) if self._rate is not None else None
        self._known[name] = Account(turns, self._now)
        return self._known[name]

    def _turns(self, rate: Rate) -> Turns:
        return Turns(self._at_once, rate, now=self._now, sleep=self._sleep, jitter=self._jitter)
