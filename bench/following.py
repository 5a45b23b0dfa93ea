"""What following costs: a thousand jobs at a time, and a server that stands by while another one executes."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
from bench.figures import Figure
from bench.startup import LEGACY, Message, last_answer, request
from bench.timing import Pair

from recontact_service.seed import DEFAULT_TARGET_GROUP_ID
from recontact_tools.desk import Desk
from recontact_tools.elected import Elected
from recontact_tools.engine import DurableEngine
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.policy import Policy
from recontact_tools.runtime import Clock
from recontact_tools.sealing import Seal

JOBS = 1_000
HASTE = 10.0  # ours: a look a minute at each job needs minutes to be seen; here ten pass in one
IDLE_SECONDS = 4.0
BUSY_SECONDS = 18.0  # three looks at each job
STANDBY_SECONDS = 8.0
STARTS = 9
MEGABYTE = 1_000_000
ANYTHING = Policy(read_only=False, accounts=None, projects=None, target_groups=None)
CONNECTION = Connection(
    "https://api.example/v1",
    "https://api.example/oauth/token",
    "bench",
    "bench",
    requests_at_once=20,
    requests_per_second=1_000_000.0,
)


def answered(asked: httpx.Request) -> httpx.Response:
    """Answer as an API whose every job goes on."""
    if asked.url.path.endswith("token"):
        return httpx.Response(200, json={"access_token": "bench", "expires_in": 86_400})
    return httpx.Response(200, json={"job_id": asked.url.path.rpartition("/")[2], "status": "Processing"})


def memory_of(process_id: int) -> float:
    """Return the megabytes that a process holds in memory."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / MEGABYTE


async def share_of_a_core(seconds: float) -> float:
    """Return the share of one core that this process takes in that time, in percent."""
    cpu, wall = time.process_time(), time.perf_counter()
    await anyio.sleep(seconds)
    return 100 * (time.process_time() - cpu) / (time.perf_counter() - wall)


async def started(ledger: SqlLedger, number: int, now: datetime) -> None:
    """Write down an upload of 100,000 IDs that has run for half an hour."""
    group = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", f"01BTGNYV6HRNK8K8VK{number:08}")
    then, intent_id = now - timedelta(minutes=30), f"INTENT{number:05}"
    intent = Intent(
        intent_id=intent_id,
        kind=JobKind.UPLOAD,
        principal="bench",
        group=group,
        ids=100_000,
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=then,
        updated_at=then,
        id_type=IdType.RSID,
        file_name=f"{intent_id}.csv",
    )
    await ledger.open_intent(intent, payload=b"")
    await ledger.mark_sending(intent_id, now=then)
    await ledger.mark_started(intent_id, job_id=f"01BTGNYV6HRNK8K8W0{number:08}", now=then)


@asynccontextmanager
async def engine_on(folder: Path, ledger: SqlLedger, now: Callable[[], datetime]) -> AsyncGenerator[DurableEngine]:
    """Execute at Cint's pace, in a time that passes faster."""
    clock = Clock(now=now, sleep=lambda seconds: anyio.sleep(seconds / HASTE))
    way = Gateway(CONNECTION, transport=httpx.MockTransport(answered))
    async with way as gateway, anyio.create_task_group() as tasks:
        desk = Desk(gateway, ledger, clock, 1.0, ANYTHING, Seal(lambda: bytes(32)), timedelta(days=30))
        engine = DurableEngine(Elected(folder, desk, tasks), desk, tasks)
        yield engine
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await engine.aclose()


async def measure_jobs(folder: Path) -> list[Figure]:
    """Follow many jobs that have run for half an hour, each of which is looked at once a minute."""
    begun, clock = datetime.now(UTC), time.perf_counter()
    ledger = SqlLedger.open(folder / "ledger.sqlite")
    await started(ledger, 0, begun)

    def now() -> datetime:
        return begun + timedelta(seconds=HASTE * (time.perf_counter() - clock))

    async with engine_on(folder, ledger, now) as engine:
        await engine.wake()
        await anyio.sleep(1)
        idle, before = await share_of_a_core(IDLE_SECONDS), memory_of(os.getpid())
        for number in range(1, JOBS):
            await started(ledger, number, begun)
        await engine.wake()
        await anyio.sleep(60 / HASTE)  # everybody's first look and second one
        busy, after = await share_of_a_core(BUSY_SECONDS), memory_of(os.getpid())
    await ledger.aclose()
    share = idle + (busy - idle) / HASTE
    detail = f"{idle:.1f} % with one job"
    return [
        Figure("1,000 jobs followed at Cint's pace: share of one core", share, "%", 10, detail),
        Figure("1,000 jobs followed: memory beside one job", after - before, "MB", 60),
    ]


@contextmanager
def serving(home: Path) -> Generator["subprocess.Popen[bytes]"]:
    """Run a server on a data directory; it has shaken hands."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
    command = [sys.executable, "-m", "recontact_mcp"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**usual, "RECONTACT_DATA_DIR": str(home)},
    ) as process:
        try:
            assert json.loads(last_answer(process, LEGACY))["result"]["tools"]
            yield process
        finally:
            process.kill()


def called(process: "subprocess.Popen[bytes]", name: str, **arguments: object) -> None:
    """Call a tool, which must answer."""
    call = request(9, "tools/call", name=name, arguments={"target_group_id": DEFAULT_TARGET_GROUP_ID, **arguments})
    answer = json.loads(last_answer(process, [call]))
    assert not answer["result"].get("isError"), answer


def uploading(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Upload one ID, which opens the engine: to execute, or to stand by."""
    called(process, "upload_recontacts", ids=[f"5a3b2ada-0000-4000-8000-{number:012}"], idempotency_key=str(number))


def cpu_of(process: "subprocess.Popen[bytes]") -> float:
    """Return the seconds of a core that a process has taken."""
    words = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure_standby(home: Path) -> list[Figure]:
    """Let one server stand by, with a subscription, beside one that executes."""
    overview = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{DEFAULT_TARGET_GROUP_ID}/"
    with serving(home) as executor, serving(home) as standby:
        uploading(executor, 1)
        time.sleep(1)
        uploading(standby, 2)
        watching = request(8, "resources/subscribe", uri=f"{overview}overview")
        assert json.loads(last_answer(standby, [watching]))["result"] == {}
        time.sleep(1)
        before = cpu_of(standby)
        time.sleep(STANDBY_SECONDS)
        share = 100 * (cpu_of(standby) - before) / STANDBY_SECONDS
        memory, beside = memory_of(standby.pid), memory_of(executor.pid)
    return [
        Figure("A server that stands by and watches: share of one core", share, "%", 2),
        Figure("The same: memory", memory, "MB", 150, f"{beside:.0f} MB of the one that executes"),
    ]


def first_call(home: Path) -> float:
    """Start a server, and return the seconds until its first call of a tool has answered."""
    call = request(
        3, "tools/call", name="get_recontact_overview", arguments={"target_group_id": DEFAULT_TARGET_GROUP_ID}
    )
    messages: tuple[Message, ...] = (*LEGACY, call)
    usual = {"PATH": os.environ["PATH"], "HOME": str(home), "RECONTACT_DATA_DIR": str(home)}
    began = time.perf_counter()
    command = [sys.executable, "-m", "recontact_mcp"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=usual
    ) as process:
        answer = json.loads(last_answer(process, messages))
        seconds = time.perf_counter() - began
        process.kill()
    assert answer["result"]["structuredContent"]
    return seconds


def measure_starts(alone: Path, shared: Path) -> list[Figure]:
    """Compare the start beside a server that executes with the start alone, on directories that are alike."""
    with serving(alone) as process:
        uploading(process, 1)
        time.sleep(1)
    ours: list[float] = []
    other: list[float] = []
    with serving(shared) as executor:
        uploading(executor, 1)
        time.sleep(1)
        for turn in range(STARTS + 1):
            for which in (0, 1)[:: 1 if turn % 2 else -1]:
                (ours, other)[which].append(first_call((shared, alone)[which]))
    pair = Pair(ours[1:], other[1:])
    return [
        Figure(
            "Start to a first call beside one that executes, beside a start alone", pair.ratio, "x", 1.1, pair.detail
        )
    ]


def measure(folder: Path) -> list[Figure]:
    figures = anyio.run(measure_jobs, folder / "jobs")
    figures += measure_standby(folder / "standby")
    return figures + measure_starts(folder / "alone", folder / "shared")
