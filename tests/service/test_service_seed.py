"""What can be put into a service, and that nothing is put half."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from recontact_service.running import RunningService
from recontact_service.seed import map_responses, seed
from recontact_service.settings import Postgres, ServiceSettings
from recontact_service.stores import open_store

Put = Callable[..., None]

GROUP, PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP1", "01BTGNYV6HRNK8K8VKZASZCFP0"
PAGE = "exclusions/rsid/paginated"
RIDS = [str(UUID(int=number)) for number in range(1, 4)]
RSIDS = [str(UUID(int=number << 64)) for number in range(1, 4)]
TABLE = "".join(f"{rid},{rsid}\n" for rid, rsid in zip(RIDS, RSIDS, strict=True))


@pytest.fixture
def put(settings: ServiceSettings, clock: list[datetime]) -> Put:
    """Seed the default target group of the service under test."""

    def putting(**options: Any) -> None:
        seed(settings.database, now=lambda: clock[0], target_group_id=GROUP, **options)

    return putting


def ids(count: int) -> list[str]:
    return [str(UUID(int=number * 7)) for number in range(1, count + 1)]


def lines(identifiers: list[str]) -> bytes:
    return "\n".join(identifiers).encode()


@pytest.mark.anyio
async def test_excluded_respondents_are_counted_and_listed_alike(client: httpx.AsyncClient, put: Put) -> None:
    put(excluded=lines([one.upper() for one in ids(1_500)]), fields={"excluded_guids": 3})
    overview = (await client.get("exclusions/overview")).json()
    first = (await client.get(PAGE)).json()
    last = (await client.get(PAGE, params={"start_after": first["next_cursor"]})).json()
    back = (await client.get(PAGE, params={"end_before": first["next_cursor"], "page_size": 9})).json()
    too_long = await client.get(PAGE, params={"page_size": 1_001})

    assert overview == {"saved_respondent_ids_count": 1_500, "saved_access_respondent_guids_count": 3}
    assert first["data"] + last["data"] == ids(1_500)
    assert len(first["data"]) == 1_000
    assert "next_cursor" not in last
    assert back["data"] == ids(1_500)[990:999]
    assert too_long.status_code == 400


@pytest.mark.anyio
async def test_excluded_respondents_stay_until_others_are_named(client: httpx.AsyncClient, put: Put) -> None:
    counts: list[int] = []
    for options in ({"excluded": lines(ids(5))}, {"fields": {"name": "changed"}}, {"excluded": b""}):
        put(**options)
        counts.append((await client.get("exclusions/overview")).json()["saved_respondent_ids_count"])

    assert counts == [5, 5, 0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"excluded": lines([*ids(2), "none", ""])}, "1 lines", id="a line that is no RSID"),
        pytest.param({"excluded": lines(ids(100_001))}, "100000", id="too many RSIDs"),
        pytest.param({"fields": {"completes_gaol": 7}}, "completes_gaol", id="a field that no read shows"),
        pytest.param({"project_id": "short"}, "26", id="a project that is none"),
        pytest.param({"project_id": "01BTGNYV6HRNK8K8VKZASZCFPX"}, "another", id="another project"),
        pytest.param({"account_id": 102}, "another", id="another account"),
    ],
)
def test_what_cannot_be_seeded_is_refused_whole(
    put: Put, settings: ServiceSettings, options: dict[str, Any], reason: str
) -> None:
    put(excluded=lines(ids(3)))
    before = contents(settings.database)
    with pytest.raises(ValueError, match=reason):
        put(**{"excluded": lines(ids(1)), "fields": {"name": "changed"}, **options})

    assert contents(settings.database) == before


def contents(database: Path | Postgres) -> list[Any]:
    """Read everything that a database says of its target groups."""
    with closing(open_store(database)) as store:
        groups = [group for account in (101, 102) for group in store.list_groups(account, project_id=None)]
        found = store.find_group(GROUP, account_id=101, project_id=PROJECT)
        assert found is not None
        return [groups, found, store.read_excluded(found.number, after=b"", limit=9)]


@pytest.mark.anyio
async def test_a_group_is_moved_when_that_is_asked_for(client: httpx.AsyncClient, put: Put) -> None:
    await client.post("recontacts/jobs/upload-rsids-by-file", files={"file": ("a.csv", lines(ids(4)), "text/csv")})
    put(account_id=102, move=True)
    there = str(client.base_url).replace("/101/", "/102/")

    assert (await client.get("recontacts/overview")).status_code == 404
    assert (await client.get(f"{there}recontacts/overview")).status_code == 200
    assert len((await client.get(f"{there}recontacts/jobs/upload-respondents-by-file")).json()["data"]) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "table",
    [
        pytest.param(TABLE, id="plain"),
        pytest.param("\ufeffRID,RSID\r\n" + TABLE.upper().replace("\n", " \r\n") + "\r\n", id="as spreadsheets write"),
        pytest.param(TABLE * 2, id="every pair twice"),
    ],
)
async def test_an_upload_of_rids_stores_the_respondents_of_a_loaded_table(
    client: httpx.AsyncClient, service: RunningService, settings: ServiceSettings, table: str
) -> None:
    count = map_responses(settings.database, table.encode())
    await client.post(
        "recontacts/jobs/upload-respondents-by-file",
        params={"entity_type": "RID"},
        files={"file": ("a.csv", lines(RIDS), "text/csv")},
    )
    await service.advance()

    assert count == 3
    assert (await client.get("recontacts/rsids")).json()["data"] == RSIDS


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (TABLE + f"{RIDS[0]};{RSIDS[0]}", "line 4 is not"),
        (TABLE + "RID,RSID", "line 4 is not"),
        (TABLE + f"{RIDS[0]},{RSIDS[0]},x", "line 4 is not"),
        ("a,b\n" + TABLE, "line 1 is not"),
        (TABLE + f"{RIDS[0].upper()},{RSIDS[1]}", "line 4 gives"),
    ],
)
def test_a_table_with_a_wrong_line_is_refused_whole(tmp_path: Path, table: str, reason: str) -> None:
    database = tmp_path / "service.sqlite"
    with pytest.raises(ValueError, match=reason) as refused:
        map_responses(database, table.encode())

    assert not database.exists()
    assert not any(one in str(refused.value) for one in RIDS + RSIDS)
