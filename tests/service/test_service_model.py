"""The API against a small model of its rules, in any order of requests, ticks and restarts."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from recontact_service.running import RunningService, running
from recontact_service.settings import Postgres, ServiceSettings

PATH = "/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
RSIDS = "recontacts/jobs/upload-rsids-by-file"
RESPONDENTS = "recontacts/jobs/upload-respondents-by-file"
REMOVE = "recontacts/jobs/remove-all-rsids"
CAPACITY = 30
UPLOAD_SECONDS, REMOVAL_SECONDS = 0.075, 0.024  # for each identifier at pace 1

members = st.sets(st.integers(0, 40), min_size=1, max_size=20)


async def _never(_seconds: float) -> None:
    await anyio.sleep_forever()


class RecontactsOfOneGroup(RuleBasedStateMachine):
    """Stored IDs, one running job at most, a list of uploads."""

    def __init__(self, database: Path | Postgres) -> None:
        super().__init__()
        self._database = database
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())
        self.now = datetime(2030, 1, 1, tzinfo=UTC)
        self.stored: set[int] = set()
        self.uploads: list[str] = []
        self.running: tuple[str, set[int] | None, datetime] | None = None
        self.seen: set[int] = set()
        self.bad_rows = 0
        self.start()

    def start(self) -> None:
        chosen = ServiceSettings(database=self._database, pace=1, chunk_ids=4, capacity=CAPACITY)
        self._life = ExitStack()
        opened = running(chosen, now=lambda: self.now, sleep=_never)
        self.service: RunningService = self._life.enter_context(self._portal.wrap_async_context_manager(opened))

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            headers = {
                "Authorization": f"Bearer {self.service.issue_token('robot')}",
                "Cint-API-Version": "2025-12-18",
            }
            transport = httpx.ASGITransport(self.service.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://s", headers=headers) as client:
                return await client.request(method, PATH + path, **more)

        return self._portal.call(send)

    def created(self, answer: httpx.Response, ids: set[int] | None) -> None:
        if self.running is not None:
            assert (answer.status_code, answer.json()["object"]) == (409, "conflict_error")
            return
        assert answer.status_code == 201
        each, total = (REMOVAL_SECONDS, len(self.stored)) if ids is None else (UPLOAD_SECONDS, len(ids))
        job_id = answer.json()["job_id"]
        self.running = (job_id, ids, self.now + timedelta(seconds=each * total))
        if ids is not None:
            self.uploads.insert(0, job_id)
        self.wait(0)

    @rule(ids=members, both=st.booleans(), bad=st.integers(0, 2))
    def upload(self, ids: set[int], both: bool, bad: int) -> None:  # noqa: FBT001 - drawn by hypothesis
        lines = [*(str(UUID(int=one)).upper() for one in ids), *["bad"] * bad]
        path = f"{RESPONDENTS}?entity_type=RSID" if both else RSIDS
        if self.running is None:
            self.bad_rows = bad
        files = {"file": ("a.csv", "\n".join(lines).encode(), "text/csv")}
        self.created(self.request("POST", path, files=files), ids)

    @rule()
    def remove(self) -> None:
        self.created(self.request("POST", REMOVE), None)

    @rule(seconds=st.sampled_from([0.05, 0.3, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._portal.call(self.service.advance)
        self.settle()

    @rule()
    def restart(self) -> None:
        self._life.close()
        self.start()

    def settle(self) -> None:
        if self.running is None or self.now < self.running[2]:
            return
        job_id, ids, _ = self.running
        path = REMOVE if ids is None else RSIDS
        job = self.request("GET", f"{path}/{job_id}").json()
        over = ids is not None and len(self.stored | ids) > CAPACITY
        assert job["status"] == ("Failed" if over else "Completed")
        assert ("job_trace_id" in job) == over
        if not over:
            self.stored = set() if ids is None else self.stored | ids
        if ids is not None and not over:
            assert (job["partial_success_reason"] is not None) == (self.bad_rows > 0)
        self.running = None

    @invariant()
    def the_stored_set_is_what_the_jobs_made_of_it(self) -> None:
        first = self.request("GET", "recontacts/rsids?page_size=25").json()
        rest: list[str] = []
        if "next_cursor" in first:
            more = {"start_after": first["next_cursor"], "page_size": "25"}
            rest = self.request("GET", "recontacts/rsids", params=more).json()["data"]
        listed = [UUID(one).int for one in first["data"] + rest]
        saved = self.request("GET", "recontacts/overview").json()["saved_respondent_ids_count"]
        assert listed == sorted(set(listed))
        assert saved == len(listed) <= CAPACITY
        if self.running is None or self.now < self.running[2]:
            self.compare(set(listed))

    def compare(self, listed: set[int]) -> None:
        ids = self.running[1] if self.running else set[int]()
        if ids is None:
            assert listed <= self.stored
        else:
            assert self.stored <= listed <= self.stored | ids

    @precondition(lambda self: self.uploads)
    @rule(size=st.integers(1, 3))
    def list_uploads(self, size: int) -> None:
        found: list[str] = []
        params: dict[str, Any] = {"page_size": size}
        while True:
            page = self.request("GET", RESPONDENTS, params=params).json()
            found += [job["job_id"] for job in page["data"]]
            if page["next_cursor"] is None:
                break
            params["start_after"] = page["next_cursor"]
        assert found == self.uploads

    def teardown(self) -> None:
        self._life.close()
        self._stack.close()


MODEL = settings(deadline=None, max_examples=15, stateful_step_count=20)


def test_the_api_keeps_to_its_rules_in_any_order_of_events_on_sqlite(tmp_path: Path) -> None:
    fresh = (tmp_path / f"{number}.sqlite" for number in count())

    class OnSqlite(RecontactsOfOneGroup):
        def __init__(self) -> None:
            super().__init__(next(fresh))

    run_state_machine_as_test(OnSqlite, settings=MODEL)


def test_the_api_keeps_to_its_rules_in_any_order_of_events_on_postgresql(database_url: str) -> None:
    fresh = (Postgres(url=database_url, schema=f"service {number}") for number in count())

    class OnPostgres(RecontactsOfOneGroup):
        def __init__(self) -> None:
            super().__init__(next(fresh))

    run_state_machine_as_test(OnPostgres, settings=MODEL)
