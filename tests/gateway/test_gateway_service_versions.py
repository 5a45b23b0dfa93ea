"""The gateway on the service itself, in both versions of the API."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.errors import FeatureMissing
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.versions import V2025_05_27, V2025_12_18, Features

pytestmark = pytest.mark.anyio

IDS = b"5a3b2ada-0000-4000-8000-000000000001\n"

Serve = Callable[[str], AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serve the API, and open a way to it in one of its versions."""

    @asynccontextmanager
    async def served(version: str) -> AsyncGenerator[Gateway]:
        settings = ServiceSettings(database=tmp_path / "service.sqlite", clients={"robot": "open sesame"})
        connection = Connection(
            "http://service.invalid/v1",
            "http://service.invalid/oauth/token",
            "robot",
            "open sesame",
            api_version=version,
        )
        async with running(settings) as service:
            transport = httpx.ASGITransport(app=service.app)
            async with Gateway(connection, transport=transport) as gateway:
                yield gateway

    return served


async def test_the_newest_version_has_every_feature(serve: Serve, group: TargetGroup) -> None:
    async with serve(V2025_12_18.name) as gateway:
        assert await gateway.features(group) == Features(job_list=True, download=True, rid_upload=True)
        job_id = await gateway.upload_file(group, file_name="a.csv", content=IDS, id_type=IdType.RSID)
        assert [job.job_id for job in (await gateway.list_upload_jobs(group, page_size=1, cursor=None)).jobs] == [
            job_id
        ]
        assert await gateway.download_upload_file(group, job_id) == IDS


async def test_the_older_version_uploads_rsids_and_says_what_it_lacks(serve: Serve, group: TargetGroup) -> None:
    async with serve(V2025_05_27.name) as gateway:
        job_id = await gateway.upload_file(group, file_name="a.csv", content=IDS, id_type=IdType.RSID)
        assert (await gateway.get_upload_job(group, job_id)).job_id == job_id
        with pytest.raises(FeatureMissing):
            await gateway.download_upload_file(group, job_id)
        with pytest.raises(FeatureMissing):
            await gateway.list_upload_jobs(group, page_size=1, cursor=None)
        with pytest.raises(FeatureMissing):
            await gateway.upload_file(group, file_name="a.csv", content=IDS, id_type=IdType.RID)
        assert await gateway.features(group) == Features(job_list=False, download=False, rid_upload=False)
