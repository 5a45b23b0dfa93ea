"""The service inside servers that share one PostgreSQL: each with credentials of its own."""

import os
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from recontact_mcp.embedded import embedded_gateway
from recontact_service.settings import Postgres
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
IDS = b"0f1ce179-a917-49ff-9d50-b05fc91f7bd4\n1f1ce179-a917-49ff-9d50-b05fc91f7bd4\n"


async def test_a_job_that_one_replica_started_is_seen_by_another_which_keeps_no_file(
    server_database: Postgres, tmp_path: Path
) -> None:
    url = SecretStr(server_database.url)
    with anyio.fail_after(20):
        async with (
            embedded_gateway(tmp_path / "a", pace=0, api_version="2025-12-18", database_url=url) as one,
            embedded_gateway(tmp_path / "b", pace=0, api_version="2025-12-18", database_url=url) as other,
        ):
            job_id = await one.upload_file(GROUP, file_name="a.csv", content=IDS, id_type=IdType.RSID)
            while not (await other.get_upload_job(GROUP, job_id, id_type=IdType.RSID)).is_finished:
                await anyio.lowlevel.checkpoint()
            counts = [await gateway.get_overview(GROUP) for gateway in (one, other)]

    assert counts == [2, 2]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - quick, and pathlib counts as blocking
