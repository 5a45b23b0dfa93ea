"""Two servers on one data directory: both clients hear the same, and a killed one leaves nothing unwatched."""

import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from recontact_service.running import RunningService, running
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup

if TYPE_CHECKING:
    from tests.crash.conftest import Host, Hosting, Place

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sqlite_only(reason="on PostgreSQL they are replicas: tests/replicas"),
]

SECRET = "sesame"
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
OVERVIEW = f"{HERE}overview"
KIND = "upload-rsids-by-file"
# 3,000 IDs in some three seconds.
SLOWLY = "0.013"
# source: the issue "Trust", 8
TOLD_WITHIN = 2
TAKEN_OVER_WITHIN = 3
# ours: long enough for two looks to meet, if they could.
LOOK_SECONDS = 0.3


@dataclass
class CountingApi:
    """The service behind a counter of requests, and of how many looks at one job were ever under way at a time."""

    service: RunningService
    database: Path
    port: int
    requests: Counter[str] = field(default_factory=Counter[str])
    looks: Counter[str] = field(default_factory=Counter[str])
    looks_at_once: int = 0

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a server that uses this API."""
        url = f"http://127.0.0.1:{self.port}"
        return {
            "CINT_BASE_URL": f"{url}/v1",
            "CINT_AUTH_URL": f"{url}/oauth/token",
            "CINT_CLIENT_ID": "robot",
            "CINT_CLIENT_SECRET": SECRET,
            "CINT_ACCOUNT_ID": str(GROUP.account_id),
            "CINT_PROJECT_ID": GROUP.project_id,
        }

    def counting(self, app: ASGIApp) -> ASGIApp:
        """Count what reaches the service, and let looks at a job take a while."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            path = str(scope["path"])
            self.requests[f"{scope['method']} {path}"] += 1
            if scope["method"] != "GET" or f"{KIND}/" not in path:
                await app(scope, receive, send)
                return
            self.looks[path] += 1
            self.looks_at_once = max(self.looks_at_once, self.looks[path])
            await anyio.sleep(LOOK_SECONDS)
            self.looks[path] -= 1
            await app(scope, receive, send)

        return counted

    def posts(self) -> int:
        """Count the uploads that were sent."""
        return sum(count for line, count in self.requests.items() if line.startswith("POST") and line.endswith(KIND))

    def looked(self) -> int:
        """Count the looks at a job."""
        return sum(count for line, count in self.requests.items() if f"{KIND}/" in line)

    async def upload(self, ids: tuple[str, ...]) -> str:
        """Upload past our servers, and return the job's id."""
        url = self.environ["CINT_BASE_URL"]
        connection = Connection(url, self.environ["CINT_AUTH_URL"], "robot", SECRET)
        async with Gateway(connection) as gateway:
            content = "".join(f"{one}\n" for one in ids).encode()
            return await gateway.upload_file(GROUP, file_name="elsewhere.csv", content=content, id_type=IdType.RSID)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[CountingApi]:
    """Serve the API on a port of this process, so slowly that a job outlasts a server."""
    async with counting_api(tmp_path / "api.sqlite", pace=0.04) as serving:
        yield serving


@asynccontextmanager
async def counting_api(database: Path, *, pace: float) -> AsyncGenerator[CountingApi]:
    """Serve the API at a pace; 3,000 IDs take some nine seconds at 0.04."""
    settings = ServiceSettings(database=database, pace=pace, clients={"robot": SECRET})
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        async with running(settings) as service, anyio.create_task_group() as tasks:
            api = CountingApi(service, database, listening.getsockname()[1])
            config = uvicorn.Config(api.counting(service.app), lifespan="off", access_log=False, log_level="critical")
            server = uvicorn.Server(config)
            tasks.start_soon(server.serve, [listening])
            yield api
            server.should_exit = True


async def until_executing(place: "Place", host: "Host", *, lock: str = "engine.lock") -> None:
    """Wait until a server holds a lock."""
    while place.executor(lock) != host.process.pid:  # noqa: ASYNC110 - it is another process that takes it
        await anyio.sleep(0.02)


async def until_standing_by(place: "Place", host: "Host") -> None:
    """Wait until a server has opened the engine that another one executes."""
    while not has_opened(host.process.pid, next(place.data.rglob("engine.lock"))):  # noqa: ASYNC110 - as above
        await anyio.sleep(0.02)


def has_opened(process_id: int, file: Path) -> bool:
    """Tell whether a process holds a file open."""
    return file.resolve() in [link.resolve() for link in Path(f"/proc/{process_id}/fd").iterdir()]


async def until_settled(place: "Place") -> None:
    """Wait until every intent has ended."""
    while place.active():  # noqa: ASYNC110 - other processes settle them
        await anyio.sleep(0.02)


async def test_whoever_stands_by_hears_within_two_seconds_of_what_the_other_server_saw(
    era: str, hosting: "Hosting", place: "Place"
) -> None:
    async with (
        hosting(era=era, RECONTACT_PACE=SLOWLY) as first,
        hosting(era=era, RECONTACT_PACE=SLOWLY) as second,
    ):
        await first.call("get_recontact_overview")
        await second.watch(OVERVIEW)
        started = await first.call("upload_recontacts", path=place.write_file())
        await second.watch(started["resource_uri"])
        with anyio.fail_after(30):
            await until_settled(place)
        with anyio.fail_after(TOLD_WITHIN):
            await second.hear(started["resource_uri"])
            while (await second.call("get_upload_job", job_id=started["job_id"]))["status"] != "Completed":
                await second.hear(started["resource_uri"])
        assert place.executor() == first.process.pid


async def test_a_kill_of_the_executor_is_survived_by_the_job_and_by_who_watches_it(
    era: str, hosting: "Hosting", place: "Place", api: CountingApi
) -> None:
    async with hosting(era=era, **api.environ) as second:
        async with hosting(era=era, **api.environ) as first:
            started = await first.call("upload_recontacts", path=place.write_file())
            uri = started["resource_uri"]
            await second.watch(uri)
            with anyio.fail_after(30):
                await until_standing_by(place, second)
            assert place.executor() == first.process.pid
            await first.kill()
        with anyio.fail_after(TAKEN_OVER_WITHIN):
            await until_executing(place, second)
        with anyio.fail_after(40):
            await until_settled(place)
        with anyio.fail_after(TOLD_WITHIN):
            await second.hear(uri)
    assert (api.posts(), api.looks_at_once) == (1, 1)
    assert place.seen(KIND, api.database).jobs == ("Completed",)


async def test_a_job_started_elsewhere_is_followed_by_one_server_and_after_its_kill_by_the_other(
    era: str, hosting: "Hosting", place: "Place", api: CountingApi
) -> None:
    job_id = await api.upload(place_ids(place))
    uri = f"{HERE}upload-jobs/{job_id}"
    async with hosting(era=era, **api.environ) as second:
        async with hosting(era=era, **api.environ) as first:
            await first.watch(uri)
            with anyio.fail_after(30):
                await until_executing(place, first, lock="follow.lock")
            await second.watch(uri)
            # Each made one look of its own to accept the subscription; then only the follower looks.
            api.looks_at_once, looks = 0, api.looked()
            while api.looked() == looks:  # noqa: ASYNC110 - it comes from another process
                await anyio.sleep(0.02)
            both = api.looks_at_once
            await first.kill()
        with anyio.fail_after(TAKEN_OVER_WITHIN):
            await until_executing(place, second, lock="follow.lock")
        with anyio.fail_after(40):
            await second.hear(uri)
        job = await second.call("get_upload_job", job_id=job_id)
    assert (job["status"], both, api.looks_at_once) == ("Completed", 1, 1)
    assert place.executor() is None  # nothing was asked of the engine


def place_ids(place: "Place") -> tuple[str, ...]:
    """Return the IDs of these tests in one order."""
    return tuple(sorted(place.ids))
