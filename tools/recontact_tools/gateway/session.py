"""Authorized exchanges: reads are repeated, starts of jobs never are."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar

import httpx

from recontact_tools.gateway.accounts import Account, Accounts
from recontact_tools.gateway.answers import Answer, Outcome
from recontact_tools.gateway.circuit import Exchange
from recontact_tools.gateway.requests import IdentifierFile, Requests
from recontact_tools.gateway.retries import Retries
from recontact_tools.gateway.tokens import TokenSource
from recontact_tools.gateway.verdicts import NO_STATUS, is_stale_authorization, settle_read, settle_start
from recontact_tools.gateway.way import Way

T = TypeVar("T")

START_TURN_SECONDS = 5.0  # ours: who started a job waits for an answer, and can ask again when nothing was sent

Fetch: TypeAlias = Callable[[], Awaitable[str]]


class Session:
    """Carry requests with the token, and settle what comes of them."""

    def __init__(
        self, requests: Requests, *, way: Way, tokens: TokenSource, retries: Retries, accounts: Accounts
    ) -> None:
        self._requests = requests
        self._way = way
        self._tokens = tokens
        self._retries = retries
        self._accounts = accounts

    async def read(
        self, path: str, reader: Callable[[Answer], T], *, query: str = "", also: frozenset[int] = NO_STATUS
    ) -> T:
        """Return what *reader* finds in the answer to a GET, which is repeated while that may help.

        It reads successes and the statuses that are *also* answers to this GET; no redirect is ever followed.
        The fetch of a token is part of an attempt and not repeated within it: the two would multiply.
        """
        account = self._accounts.of(path)

        def build(token: str) -> httpx.Request:
            return self._requests.read(path, query=query, token=token)

        async def once(until: float) -> T:
            sent = partial(self._way.sent, account, self._way.read, until=until)
            return settle_read(await self._exchange(account, build, _once, sent), reader, also=also)

        return await self._retries.run(once)

    async def start(self, path: str, *, query: str = "", file: IdentifierFile | None = None) -> str:
        """Return the id of the job that one POST started; it is sent again only if nobody executed it.

        Only the fetch of a token is repeated and cut off when its time is over: once sent, the POST is not. It waits
        for its turn for START_TURN_SECONDS at most, and is refused unsent then.
        """
        account = self._accounts.of(path)

        def build(token: str) -> httpx.Request:
            return self._requests.start(path, query=query, file=file, token=token)

        async def sent(request: httpx.Request) -> Outcome:
            until = self._retries.now() + START_TURN_SECONDS
            return await self._way.sent(account, self._way.start, request, until=until)

        return settle_start(await self._exchange(account, build, self._fetched_in_time, sent))

    async def bounded(self, reads: Callable[[], Awaitable[T]]) -> T:
        """Return what *reads* returns; together they get the time of one."""
        return await self._retries.bounded(reads)

    async def _exchange(
        self,
        account: Account,
        build: Callable[[str], httpx.Request],
        fetched: Callable[[Fetch], Awaitable[str]],
        sent: Exchange,
    ) -> Outcome:
        token = await fetched(self._tokens.current)
        outcome = await sent(build(token))
        if is_stale_authorization(outcome) and not account.refuses(token):
            token = await fetched(partial(self._tokens.renew, token))
            outcome = await sent(build(token))
            if is_stale_authorization(outcome):
                account.note_refused(token)
        return outcome

    async def _fetched_in_time(self, fetch: Fetch) -> str:
        return await self._retries.run(lambda _until: fetch())


async def _once(fetch: Fetch) -> str:
    return await fetch()
