"""Schedules of what can go wrong between a wish and its job, played against the real service; and what must hold."""

import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
from broken_network import Network, NetworkFault, Sending
from ledger_places import FilePlace
from ledger_places import Place as LedgerPlace
from mcp.server.mcpserver import AcceptedElicitation, DeclinedElicitation
from mortal_process import CLIENT, SECRET, Place, Process
from virtual_time import VirtualTime

from recontact_service.faults import Fault, FaultKind, Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.errors import RecontactError
from recontact_tools.guardrails import confirmation_phrase
from recontact_tools.injected import Confirmation, Unanswered
from recontact_tools.ledger import ACTIVE_STATES, Intent, IntentState
from recontact_tools.ledger.rows import intent_from
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.plans import question
from recontact_tools.remove_all_recontacts import remove_all_recontacts
from recontact_tools.results import JobHandle
from recontact_tools.upload_recontacts import upload_recontacts
from recontact_tools.wishes import is_known_removal

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
# Three lists; the last one is of response ids that nobody knows, and its job fails.
LISTS = tuple(tuple(f"5a3b2ada-0000-4000-8000-{which}{line:011x}" for line in range(3)) for which in range(3))
FAILING = 2
THEIRS = "theirs.csv"
# Three IDs take 90 seconds: long enough for everything to happen meanwhile.
SERVICE_PACE = 400.0
# Shorter than the ten minutes within which a call without a key is the same call.
SAME_WISH = timedelta(minutes=9)
_POSTS = {False: Operation.UPLOAD_RSIDS, True: Operation.UPLOAD_RESPONDENTS}


@dataclass(frozen=True)
class Trouble:
    """What a call meets: on the network, in the service, when it looks, and the moment at which our process dies."""

    network: NetworkFault = NetworkFault.NONE
    service: tuple[FaultKind, ...] = ()
    looks: tuple[FaultKind, int] | None = None
    dies_after: int | None = None


@dataclass(frozen=True)
class Upload:
    """Somebody asks for an upload; *callers* of the very same call at once."""

    which: int
    key: str | None
    trouble: Trouble
    callers: int = 1


@dataclass(frozen=True)
class Again:
    """The last upload is asked for again, as it was, and meets no trouble."""


@dataclass(frozen=True)
class Remove:
    """Somebody asks for the removal of all, and a person agrees or does not."""

    key: str | None
    agrees: bool
    trouble: Trouble


@dataclass(frozen=True)
class Elsewhere:
    """Somebody else uploads a list past our server."""

    which: int


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Die:
    """Our process dies while it does nothing in particular, and is started again."""


Step = Upload | Again | Remove | Elsewhere | Wait | Die


@dataclass
class Wish:
    """What the same call, repeated, has come to so far."""

    until: datetime | None  # None: a key, which stands for ever
    intents: set[str] = field(default_factory=set[str])


@dataclass
class World:
    """The service, the network, and our processes one after the other."""

    place: Place
    service_file: Path
    faults: Faults
    elsewhere: Callable[[int], Any]
    told: list[JobHandle | RecontactError] = field(default_factory=list[JobHandle | RecontactError])
    wishes: dict[tuple[int, str | None], Wish] = field(default_factory=dict[tuple[int, str | None], Wish])
    last: Upload | None = None

    @property
    def sendings(self) -> list[Sending]:
        """What was sent to start a job, in this order."""
        return self.place.network.sendings

    def intents(self) -> dict[str, Intent]:
        """Read every intent from the ledger itself."""
        with self.place.ledger_place.reading() as connection:
            rows = connection.execute("SELECT * FROM intents ORDER BY position").fetchall()
        return {intent.intent_id: intent for intent in map(intent_from, rows)}

    def jobs(self) -> dict[str, str | None]:
        """Read every job of the API from its own file: the name of its file, None for a removal."""
        with closing(sqlite3.connect(self.service_file)) as connection:
            rows = connection.execute("SELECT job_id, iif(kind = 'remove-all-rsids', NULL, file_name) FROM jobs")
            return dict(rows.fetchall())

    def spent_plans(self) -> set[str]:
        """Read which plans were used."""
        with self.place.ledger_place.reading() as connection:
            rows = connection.execute("SELECT plan_id FROM plans WHERE state = 'spent'").fetchall()
        return {row["plan_id"] for row in rows}

    async def play(self, steps: Sequence[Step]) -> None:
        """Play a schedule, checking after every step; then let everything heal and settle, and check again."""
        remaining = list(steps)
        while remaining:
            async with self.place.process() as process:
                await self._resumed(process)
                while remaining and not process.fuse.burnt:
                    step = remaining.pop(0)
                    if isinstance(step, Die):
                        break
                    await self._played(process, step)
                    check(self)
        await self._heal()

    async def _heal(self) -> None:
        self.faults.clear()
        self.place.network.next_faults.clear()
        async with self.place.process() as process:
            for _ in range(6):  # a job that is found late is followed anew
                await self._resumed(process)
                await self.place.time.pass_by(timedelta(hours=1).total_seconds())
            check(self)
            check_settled(self)
            await self._asked_again(process)
            await self._resumed(process)
            await self.place.time.pass_by(timedelta(hours=1).total_seconds())
            check(self)
            check_settled(self)
            check_found(self)

    async def _asked_again(self, process: Process) -> None:
        """Repeat every keyed upload: what was lost is looked for once more."""
        for which, key in [wish for wish in self.wishes if wish[1] is not None]:
            before = len(self.sendings)
            known = {intent.intent_id for intent in self._of_key(which, key) if intent.state is not IntentState.REFUSED}
            await self._upload(process, Upload(which, key, Trouble()))
            assert not known or len(self.sendings) == before

    def _of_key(self, which: int, key: str | None) -> list[Intent]:
        wish, intents = self.wishes[which, key], self.intents()
        return [intents[intent_id] for intent_id in wish.intents]

    async def _resumed(self, process: Process) -> None:
        await process.finish(process.resume)

    async def _played(self, process: Process, step: Step) -> None:
        if isinstance(step, Wait):
            await self.place.time.pass_by(step.seconds)
            await self._resumed(process)
        elif isinstance(step, Elsewhere):
            await self.elsewhere(step.which)
        elif isinstance(step, Again):
            if self.last is not None:
                await self._played(process, replace(self.last, trouble=Trouble(), callers=1))
        elif isinstance(step, Upload):
            self.last = step
            self._meet(step.trouble, _POSTS[step.which == FAILING], process)
            await self._upload(process, step)
        elif isinstance(step, Remove):
            self._meet(step.trouble, Operation.REMOVE_ALL, process)
            await self._remove(process, step)

    def _meet(self, trouble: Trouble, operation: Operation, process: Process) -> None:
        self.faults.clear()
        self.place.network.next_faults[:] = [trouble.network]
        for kind in trouble.service:
            self.faults.script(operation, Fault(kind))
        if trouble.looks is not None:
            kind, times = trouble.looks
            for looked_at in (Operation.LIST_UPLOADS, Operation.OVERVIEW):
                self.faults.script(looked_at, Fault(kind), times=times)
        process.fuse.left = trouble.dies_after

    async def _upload(self, process: Process, step: Upload) -> None:
        before, asked_at = set(self.intents()), self.place.time.now()
        wish = self._wish(step, asked_at)
        call = partial(
            upload_recontacts,
            process.runtime,
            GROUP.target_group_id,
            ids=list(LISTS[step.which]),
            id_type="RID" if step.which == FAILING else "RSID",
            idempotency_key=step.key,
        )
        await self._called(process, call, before, callers=step.callers)
        wish.intents |= set(self.intents()) - before
        if wish.until is not None:
            wish.until = self.place.time.now() + SAME_WISH

    def _wish(self, step: Upload, now: datetime) -> Wish:
        """Return the wish that a call repeats; a failed upload may be wished for again without a key."""
        known = self.wishes.get((step.which, step.key))
        over = known is None or (known.until is not None and (now > known.until or step.which == FAILING))
        if known is None or over:
            known = Wish(None if step.key else now)
            self.wishes[step.which, step.key] = known
        return known

    async def _remove(self, process: Process, step: Remove) -> None:
        runtime = process.runtime
        before = set(self.intents())

        async def call() -> JobHandle:
            answer: AcceptedElicitation[Any] | DeclinedElicitation = DeclinedElicitation()
            if step.key is not None and await is_known_removal(runtime, GROUP, step.key):
                answer = AcceptedElicitation[Any](data=Unanswered(reason="not_asked"))
            else:
                asked = await question(runtime, GROUP, answered=False)
                if step.agrees:
                    phrase = confirmation_phrase(asked.plan.count, GROUP.target_group_id)
                    answer = AcceptedElicitation[Any](data=Confirmation(phrase=phrase))
            return await remove_all_recontacts(runtime, answer, GROUP.target_group_id, idempotency_key=step.key)

        await self._called(process, call, before)
        if {intent_id for intent_id, intent in self.intents().items() if intent.kind is JobKind.REMOVAL} - before:
            for wish in [wish for wish in self.wishes if wish[1] is None]:
                del self.wishes[wish]  # of an emptied target group the same list is a new wish

    async def _called(self, process: Process, call: Callable[[], Any], before: set[str], *, callers: int = 1) -> None:
        told: list[JobHandle | RecontactError] = []

        async def one() -> None:
            try:
                told.append(await call())
            except RecontactError as error:
                told.append(error)

        async def all_at_once() -> None:
            for _ in range(callers - 1):
                process.begin(one)
            await one()

        await process.finish(all_at_once)
        while len(told) < callers and not process.fuse.burnt and await self.place.time.step():
            pass
        process.fuse.left = None
        self.told += told
        if not process.fuse.burnt:
            check_told(self, told, set(self.intents()) - before)


def check(world: World) -> None:
    """Check what must hold at every moment."""
    intents, sendings, jobs = world.intents(), world.sendings, world.jobs()
    uploads = {intent.file_name: intent for intent in intents.values() if intent.kind is JobKind.UPLOAD}
    _check_sent_once(uploads, sendings)
    ours = {job_id: name for job_id, name in jobs.items() if name is not None and name != THEIRS}
    assert len(ours) == len(set(ours.values()))
    for job_id, name in ours.items():
        _check_known(uploads[name], job_id)
    _check_removals(world, [intent for intent in intents.values() if intent.kind is JobKind.REMOVAL], jobs)
    assert {intent.job_id for intent in intents.values() if intent.job_id is not None} <= jobs.keys()
    for wish in world.wishes.values():
        names = {intents[intent_id].file_name for intent_id in wish.intents}
        assert sum(sending.may_have_run for sending in sendings if sending.file_name in names) <= 1


def _check_sent_once(uploads: dict[str | None, Intent], sendings: list[Sending]) -> None:
    """Nothing is sent twice; a request that was refused for its token was not carried out."""
    sent: Counter[str | None] = Counter()
    for sending in sendings:
        if sending.file_name is not None:
            assert sent[sending.file_name] == 0
            assert uploads[sending.file_name].state is not IntentState.PLANNED
            sent[sending.file_name] += sending.left and sending.status not in {401, 403}


def _check_known(intent: Intent, job_id: str) -> None:
    """The ledger knows the id of a job, or is still looking, or says that it does not know and what to look at."""
    if intent.job_id is not None:
        assert intent.job_id == job_id
    elif intent.state is IntentState.UNKNOWN:
        assert intent.error is not None
        assert (intent.error["code"], intent.error["file_name"]) == ("OUTCOME_UNKNOWN", intent.file_name)
    else:
        assert intent.state is IntentState.SENDING


def _check_removals(world: World, removals: list[Intent], jobs: dict[str, str | None]) -> None:
    plans = [intent.plan_id for intent in removals]
    assert len(plans) == len(set(plans))
    assert set(plans) <= world.spent_plans()
    sent = [sending for sending in world.sendings if sending.file_name is None]
    begun = [intent for intent in removals if intent.state is not IntentState.PLANNED]
    assert sum(sending.left and sending.status not in {401, 403} for sending in sent) <= len(begun)
    removed = {job_id for job_id, name in jobs.items() if name is None}
    known = {intent.job_id for intent in removals if intent.job_id is not None}
    lost = [intent for intent in begun if intent.job_id is None and intent.state is not IntentState.REFUSED]
    assert len(removed - known) <= len(lost)


def check_told(world: World, told: list[JobHandle | RecontactError], fresh: set[str]) -> None:
    """Check that whoever was told that nothing changed was told the truth, and how to go on."""
    intents = world.intents()
    for one in told:
        assert one.next_step
        if isinstance(one, RecontactError):
            handle = {"file_name", "job_id"} & one.details.keys()
            assert one.changed == "no" or handle or "get_recontact_overview" in one.next_step
    if all(isinstance(one, RecontactError) and one.changed == "no" for one in told):
        names = {intents[intent_id].file_name for intent_id in fresh if intents[intent_id].kind is JobKind.UPLOAD}
        assert not any(sending.may_have_run for sending in world.sendings if sending.file_name in names)
        assert all(intents[intent_id].state is IntentState.REFUSED for intent_id in fresh)


def check_settled(world: World) -> None:
    """Check that nobody is kept waiting for ever."""
    assert not [intent for intent in world.intents().values() if intent.state in ACTIVE_STATES]


def check_found(world: World) -> None:
    """Check that a lost upload under a key was found when it was asked for again, wherever jobs are listed."""
    if world.place.api_version == "2025-05-27":
        return
    jobs = {name: job_id for job_id, name in world.jobs().items()}
    for intent in world.intents().values():
        if intent.kind is JobKind.UPLOAD and intent.idempotency_key is not None and intent.file_name in jobs:
            assert (intent.state, intent.job_id) == (IntentState.FINISHED, jobs[intent.file_name])


@asynccontextmanager
async def world_in(folder: Path, api_version: str, ledger: LedgerPlace | None = None) -> AsyncGenerator[World]:
    """Set the service up in a folder, and the ledger beside it unless it is to lie elsewhere."""
    time, faults = VirtualTime(), Faults()
    settings = ServiceSettings(
        database=folder / "service.sqlite", pace=SERVICE_PACE, clients={CLIENT: SECRET}, all_invalid="fail"
    )

    async def never(_seconds: float) -> None:
        await anyio.sleep_forever()

    async with running(settings, now=time.now, sleep=never, faults=faults) as service:

        async def arrive() -> None:
            await service.advance()

        time.arriving = arrive
        transport = httpx.ASGITransport(app=service.app)
        place = Place(ledger or FilePlace(folder / "ledger.sqlite"), Network(transport, time), time, GROUP, api_version)

        async def elsewhere(which: int) -> None:
            path = f"/v1/demand/accounts/{GROUP.account_id}/projects/{GROUP.project_id}/target-groups/"
            path += f"{GROUP.target_group_id}/recontacts/jobs/upload-rsids-by-file"
            headers = {"Authorization": f"Bearer {service.issue_token(CLIENT)}", "Cint-API-Version": api_version}
            content = "".join(f"{line}\n" for line in LISTS[which])
            faults.clear()
            async with httpx.AsyncClient(transport=transport, base_url="http://api.invalid") as client:
                await client.post(path, headers=headers, files={"file": (THEIRS, content, "text/csv")})

        yield World(place, folder / "service.sqlite", faults, elsewhere)
