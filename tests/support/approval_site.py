"""A server over HTTP with its approval pages, on a real port, in a time that tests can move."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import anyio
import uvicorn
from httpx import AsyncClient, Response

from recontact_mcp.opening import Effects
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.approval.announced import announced_pages
from recontact_mcp.remote.names import names_of
from recontact_mcp.remote.parts import Parts, parts_for
from recontact_mcp.settings import Settings
from recontact_tools.ledger import Approval, Intent, IntentState, Plan, PlanPurpose, PlanState
from recontact_tools.models import IdType, Job, JobKind, Reason, TargetGroup
from recontact_tools.runtime import Clock

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
PHRASE = f"REMOVE 500 FROM {GROUP.target_group_id}"
CODE = "ABCD2345"


class Server(uvicorn.Server):
    """A server in a test, whose signals are the test's."""

    def capture_signals(self) -> Any:
        """Leave the signals alone."""
        return nullcontext()


@dataclass
class Site:
    """The running server."""

    parts: Parts
    base: str
    later: list[timedelta]
    _codes: Any = field(default_factory=lambda: count(2345))

    @property
    def url(self) -> str:
        """Where people decide."""
        return f"{self.base}/approve"

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.now(UTC) + self.later[0]

    async def asked(self, principal: str, plan_id: str = "PLAN1", **fields: Any) -> Approval:
        """Let a principal ask for the removal of 500 IDs; *fields* are those of the plan, and the code."""
        now, code = self.now(), fields.pop("code", None) or f"ABCD{next(self._codes)}"
        told: dict[str, Any] = {
            "plan_id": plan_id,
            "principal": principal,
            "group": GROUP,
            "count": 500,
            "created_at": now,
            "expires_at": now + timedelta(minutes=30),
            "state": PlanState.OPEN,
            "purpose": PlanPurpose.REPLACEMENT if "new_ids" in fields else PlanPurpose.REMOVAL,
            **fields,
        }
        return await (await self.parts.opening.decisions()).ledger.approvals.ask(Plan(**told), code)

    async def started(self, principal: str, work_id: str = "WORK1", **fields: Any) -> Intent:
        """Let a principal have started an upload of 500 IDs that runs; *fields* are those of the intent."""
        now, ledger = self.now(), (await self.parts.opening.decisions()).ledger
        told: dict[str, Any] = {
            "intent_id": work_id,
            "kind": JobKind.UPLOAD,
            "principal": principal,
            "group": GROUP,
            "ids": 500,
            "stored_before": 0,
            "state": IntentState.PLANNED,
            "created_at": now,
            "updated_at": now,
            "id_type": IdType.RSID,
            "file_name": f"recontacts-{work_id}.csv",
            **fields,
        }
        intent = Intent(**told)
        await ledger.open_intent(intent, payload=b"0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10\n")
        await ledger.mark_sending(work_id, now=now)
        await ledger.mark_started(work_id, job_id=f"JOB-{work_id}", now=now)
        return intent

    async def ended(self, work_id: str = "WORK1", status: str = "Completed", reason: str = "") -> None:
        """Let its job end."""
        now, ledger = self.now(), (await self.parts.opening.decisions()).ledger
        job = Job(f"JOB-{work_id}", status, completed_at=now, failure_reason=Reason(reason) if reason else None)
        await ledger.mark_finished(work_id, job, now=now, settled_by="job")

    async def approval(self, plan_id: str = "PLAN1") -> Approval:
        """Return how a plan stands."""
        found = await (await self.parts.opening.decisions()).ledger.approvals.of_plan(plan_id)
        assert found is not None
        return found

    async def standing(self, plan_id: str = "PLAN1") -> str:
        """Return the word for how a plan stands."""
        return (await self.approval(plan_id)).standing(self.now()).value

    def http(self) -> AsyncClient:
        """Return a program without a browser; it keeps cookies and follows nothing."""
        return AsyncClient(base_url=self.base, headers={"origin": self.base})


@asynccontextmanager
async def site(
    settings: Settings, announced: list[str] | None = None, *, host: str = "127.0.0.1"
) -> AsyncGenerator[Site]:
    """Serve until the block is left; what the server's terminal shows, in place of stderr, is *announced*."""
    later = [timedelta()]
    clock = Clock(now=lambda: datetime.now(UTC) + later[0])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"{host}:{listening.getsockname()[1]}"
        effects = Effects(clock=clock)
        if announced is not None:
            pages = partial(announced_pages, names_of(settings, address), write=announced.append)
            effects = Effects(clock=clock, pages=pages)
        parts = parts_for(settings, effects=effects, address=address)
        server = Server(
            uvicorn.Config(build_app(parts), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            try:
                running = Site(parts, f"http://{address}", later)
                async with running.http() as http:
                    await http.get("/livez")  # answered once it serves
                yield running
            finally:
                server.should_exit = True


async def signed_in(http: AsyncClient, name: str = "ann", code: str = "") -> Response:
    """Sign in as a browser does, and return the page that it ends on."""
    begun = await http.get("/approve/sign-in", params={"code": code} if code else {})
    assert begun.status_code == 303
    async with AsyncClient() as elsewhere:
        back = await elsewhere.get(f"{begun.headers['location']}&login_hint={name}")
    ended = await http.get(back.headers["location"])
    assert ended.status_code == 303, ended.text
    return await http.get(ended.headers["location"])
