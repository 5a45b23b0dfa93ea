"""Following jobs that were started elsewhere, for whoever watches them: one follower a job across all processes.

The process that holds the seat follows what any process on the same ledger wants followed. When it dies, another
one that still has watchers takes over at once; when none has, nobody follows until somebody asks again.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from recontact_tools.elsewhere import Asked
from recontact_tools.errors import ErrorCode, RateLimited, RecontactError, Unreachable
from recontact_tools.following import FOLLOWED_AT_MOST, MISSES_AT_MOST, Looks
from recontact_tools.ledger import ForeignJob, JobKey, LedgerFault
from recontact_tools.looking import look_once, look_soon
from recontact_tools.schedule import Rate, first_look, hindered_look, next_look
from recontact_tools.uris import changed_uris, job_uri

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from recontact_tools.models import Job
    from recontact_tools.runtime import Runtime
    from recontact_tools.seats import Seat
    from recontact_tools.shared_looks import Look
    from recontact_tools.watched import Watched

logger = logging.getLogger(__name__)

# ours: at Cint's pace some five requests a second while all are young, one when they are old; under our own limit.
FOLLOWED_AT_ONCE = 64
# ours: what a person watches at once, and a quarter of all: nobody keeps everybody else from watching.
FOLLOWED_FOR_EACH = 16
# ours: a sibling takes over well within three seconds of a death.
ROUND_SECONDS = 0.5
# ours: how long a job is followed after the last process that wanted it went away without a word.
WANTED_FOR = timedelta(seconds=30)
# ours: even two that fail leave it wanted.
RENEWED_AFTER = timedelta(seconds=10)
# ours: whoever subscribes waits for the first look, but not for long; without it the follower makes one.
FIRST_SECONDS = 5.0


class Followers:
    """Has jobs followed that this ledger did not start: here, or in the process that has the *seat*.

    *runtime_for* finds what an account is looked at with; None: everything with *runtime*.
    """

    def __init__(
        self,
        seat: Seat,
        runtime: Runtime,
        watched: Watched,
        *,
        runtime_for: Callable[[int], Awaitable[Runtime]] | None = None,
    ) -> None:
        self._seat = seat
        self._runtime = runtime
        self._runtime_for = runtime_for
        self._watched = watched
        self._asked: dict[str, JobKey] = {}
        self._followed: set[JobKey] = set()
        self._follows = False
        self._renewed = runtime.clock.now()

    async def ask(self, keys: Iterable[JobKey], *, principal: str) -> None:
        """Have jobs followed while their URIs are watched, but for those that the engine follows and those that ended.

        Raises:
            NotFound: The API knows no such job on this target group.
            Unreachable: So many are followed already, in all or for *principal*.
        """
        refusals: list[RecontactError] = []

        async def one(key: JobKey) -> None:
            try:
                await self._ask(key, principal)
            except RecontactError as refusal:
                refusals.append(refusal)

        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(one, key)
        for refusal in refusals:
            raise refusal

    async def _with(self, key: JobKey) -> Runtime:
        """Return what a job is looked at with: other accounts may take other credentials."""
        return self._runtime if self._runtime_for is None else await self._runtime_for(key.group.account_id)

    async def _ask(self, key: JobKey, principal: str) -> None:
        runtime, job = await self._with(key), None
        if await runtime.ledger.find_job(key.kind, key.job_id, key.group) is not None:
            return
        with suppress(RateLimited, Unreachable):  # which say nothing about the job
            job = (await look_soon(runtime, key.group, key.kind, key.job_id, seconds=FIRST_SECONDS)).job
        if job is not None and job.is_finished:
            return
        if not await self._want(key, job, principal):
            raise _too_many()
        self._asked[job_uri(key.group, key.kind, key.job_id)] = key

    async def _want(self, key: JobKey, job: Job | None, principal: str) -> bool:
        """Have a job followed; who works alone with this server may have all that are followed."""
        is_alone, now = principal == self._runtime.principal, self._runtime.clock.now()
        at_most = (FOLLOWED_AT_ONCE, FOLLOWED_AT_ONCE if is_alone else FOLLOWED_FOR_EACH)
        elsewhere = self._runtime.ledger.elsewhere
        return await elsewhere.want(key, job, now=now, until=now + WANTED_FOR, owner=principal, at_most=at_most)

    async def run(self) -> None:
        """Follow what is wanted, or stand by, for as long as somebody watches or this process follows for others."""
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    if not self._follows:
                        await self._watched.some()
                    try:
                        await self._round(tasks)
                    except (LedgerFault, OSError) as error:
                        logger.error("Jobs cannot be followed: %s", type(error).__name__)  # noqa: TRY400 - no paths
                    await anyio.sleep(ROUND_SECONDS)
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go()

    async def _round(self, tasks: anyio.abc.TaskGroup) -> None:
        await self._renew()
        if not self._asked and not self._follows:
            return
        wanted = await self._runtime.ledger.elsewhere.wanted(now=self._runtime.clock.now())
        if not wanted and not self._followed:
            await self._let_go()
        elif await self._elected():
            for job in wanted:
                if job.key not in self._followed:
                    self._followed.add(job.key)
                    tasks.start_soon(self._follow, job)

    async def _renew(self) -> None:
        """Go on wanting what is still watched; what is not is forgotten by all soon."""
        watched = self._watched.uris
        self._asked = {uri: key for uri, key in self._asked.items() if uri in watched}
        now = self._runtime.clock.now()
        if self._asked and now - self._renewed >= RENEWED_AFTER:
            self._renewed = now
            await self._runtime.ledger.elsewhere.renew(self._asked.values(), until=now + WANTED_FOR)

    async def _elected(self) -> bool:
        self._follows = await self._seat.taken()
        return self._follows

    async def _let_go(self) -> None:
        self._follows = False
        await self._seat.leave()

    async def _follow(self, job: ForeignJob) -> None:
        try:
            await self._look_until_it_ends(job.key)
        except LedgerFault as error:  # the next round begins anew
            logger.error("A job cannot be followed: %s", type(error).__name__)  # noqa: TRY400 - as above
        finally:
            self._followed.discard(job.key)

    async def _look_until_it_ends(self, key: JobKey) -> None:
        """Look on the schedule of a job of no known size, and tell its end even if somebody else saw it first."""
        clock, pace = self._runtime.clock, self._runtime.rules.pace
        looks, asked, delay = Looks(), Asked(), first_look(pace=pace)
        while True:
            await clock.sleep(delay)
            known = await self._runtime.ledger.elsewhere.find(key)
            if known is None or known.wanted_until is None:
                break
            if known.wanted_until <= clock.now() or not self._follows:
                return
            looks, seen = await self._look(key, looks, asked)
            asked = Asked(seen or asked.after, asked.waited + delay)
            if looks.misses >= MISSES_AT_MOST or asked.waited > FOLLOWED_AT_MOST.total_seconds():
                await self._runtime.ledger.elsewhere.give_up(key)
                break
            delay = next_look(_NO_RATE, 0, asked.waited, pace=pace)
            delay = hindered_look(delay, looks.vain, retry_after=looks.retry_after)
        await self._runtime.publish(*changed_uris(key.group, key.kind, key.job_id))

    async def _look(self, key: JobKey, looks: Looks, asked: Asked) -> tuple[Looks, Look | None]:
        """Look once, and count how that went."""
        try:
            seen = await look_once(await self._with(key), key.group, key.kind, key.job_id, asked)
        except RecontactError as error:
            return looks.hindered(error), None
        return Looks(), seen.look


_NO_RATE = Rate(0.0, 0.0)


def _too_many() -> Unreachable:
    return Unreachable(
        f"{FOLLOWED_AT_ONCE} jobs that were started elsewhere are followed already, or {FOLLOWED_FOR_EACH} for you;"
        " nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Ask for this job with its job tool and wait_seconds instead, or subscribe when another has ended.",
        safe_to_repeat=True,
    )
