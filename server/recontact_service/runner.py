"""Run the jobs: apply what is due, sleep until the next step, look after the jobs of dead siblings."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import anyio
from anyio import to_thread

from recontact_service.lines import FileContent, derive_respondent, read_lines
from recontact_service.pacing import conclude_upload, over_capacity, schedule
from recontact_service.packed import ID_BYTES
from recontact_service.settings import ServiceSettings
from recontact_service.store import Store, StoreFault, reading
from recontact_service.values import Job, JobKind, Step, UploadWork

logger = logging.getLogger(__name__)


class JobRunner:
    """Apply every Processing job of the store, whoever created it; any number of runners may do so at once."""

    def __init__(
        self,
        store: Store,
        settings: ServiceSettings,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._now = now
        self._sleep = sleep
        self._woken = anyio.Event()
        self._turn = anyio.Lock()
        self._files: dict[str, FileContent] = {}
        self._reported: frozenset[str] = frozenset()

    def wake(self) -> None:
        """Look at the jobs now: a new one was written down."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken = anyio.Event()
            next_at = await self.advance()
            await self._pause(next_at)

    async def advance(self) -> datetime | None:
        """Apply every step that is due and return when the next one is (None when no job waits).

        A job that the store fails keeps no other from its step; the next sweep tries it again.
        """
        async with self._turn:
            return await self._sweep()

    async def _sweep(self) -> datetime | None:
        faults: set[str] = set()
        upcoming: list[datetime] = []
        for job in await self._list_jobs(faults):
            try:
                next_at = await to_thread.run_sync(partial(self._advance_job, job))
            except StoreFault as fault:
                faults.add(type(fault).__name__)
                next_at = None
            if next_at is not None:
                upcoming.append(next_at)
        self._report(frozenset(faults))
        return min(upcoming, default=None)

    async def _list_jobs(self, faults: set[str]) -> list[Job]:
        try:
            jobs = await reading(self._store, self._store.list_processing)
        except StoreFault as fault:
            faults.add(type(fault).__name__)
            return []
        running = {job.job_id for job in jobs}
        self._files = {job_id: content for job_id, content in self._files.items() if job_id in running}
        return jobs

    def _report(self, faults: frozenset[str]) -> None:
        """Log what the store cannot do when it begins, changes or ends: not at every sweep of a full disk."""
        if faults != self._reported:
            # Only the kinds: the driver's texts may hold paths.
            logger.warning("Jobs that the store failed, to be tried again: %s", ", ".join(sorted(faults)) or "none")
            self._reported = faults

    def _advance_job(self, job: Job) -> datetime | None:
        """Apply the step of a job that is due, unless another process is at it: the next sweep sees what came of it."""
        with self._store.holding(job) as held:
            return self._advance_held(job) if held else None

    def _advance_held(self, job: Job) -> datetime | None:
        content = FileContent(b"", 0) if job.kind is JobKind.REMOVE_ALL else self._read_file(job)
        total = job.total if job.kind is JobKind.REMOVE_ALL else len(content.ids) // ID_BYTES
        plan = schedule(job, total, settings=self._settings, now=self._now())
        if plan.due > job.ids_done or plan.next_at is None:
            step = Step(job=job, ids_done=plan.due, last=plan.next_at is None, at=self._now())
            if job.kind is JobKind.REMOVE_ALL:
                self._store.apply_removal(step)
            else:
                self._store.apply_upload(step, self._work(step, content))
        return plan.next_at

    def _work(self, step: Step, content: FileContent) -> UploadWork:
        start, end = step.job.ids_done * ID_BYTES, step.ids_done * ID_BYTES
        settings = self._settings
        return UploadWork(
            ids=content.ids[start:end],
            later=content.ids[end:],
            failed=content.failed if step.last else 0,
            capacity=settings.capacity,
            over_capacity=over_capacity(settings),
            conclude=partial(conclude_upload, settings=settings),
            derive=derive_respondent if settings.unknown_response_ids == "derive" else None,
        )

    def _read_file(self, job: Job) -> FileContent:
        content = self._files.get(job.job_id)
        if content is None:
            upload = self._store.read_upload(job.job_id)
            content = read_lines(
                upload.content, header_row=self._settings.header_row, repeated_rows=self._settings.repeated_rows
            )
            self._files[job.job_id] = content
        return content

    async def _pause(self, next_at: datetime | None) -> None:
        sweep = timedelta(seconds=self._settings.sweep_seconds)
        wait = sweep if next_at is None else min(sweep, next_at - self._now())
        async with anyio.create_task_group() as group:

            async def wait_for_new_job() -> None:
                await self._woken.wait()
                group.cancel_scope.cancel()

            group.start_soon(wait_for_new_job)
            await self._sleep(max(0.0, wait.total_seconds()))
            group.cancel_scope.cancel()
