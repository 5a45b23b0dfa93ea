from pathlib import Path

import anyio
import pytest
from bench.filling import fill
from bench.gateway import compare, served
from bench.service import DATABASE, SPARES, Load, settings_for

from recontact_service.running import running


def test_stored_ids_take_eighteen_bytes_at_most(tmp_path: Path) -> None:
    assert fill(tmp_path / DATABASE, groups=2, spares=()) <= 18


@pytest.mark.anyio
async def test_the_bench_asks_for_what_it_says_it_measures(tmp_path: Path) -> None:
    fill(tmp_path / DATABASE, groups=1, spares=SPARES[:1])
    with anyio.fail_after(30):
        async with running(settings_for(tmp_path)) as service:
            load = Load(service, groups=1)
            await load.page()
            await load.overview()
            await load.upload()

            assert service.store.count_jobs() == {"upload-rsids-by-file": 2}
            assert service.store.list_processing() == []


@pytest.mark.anyio
async def test_the_gateway_is_timed_against_a_server_in_a_process_of_its_own(tmp_path: Path) -> None:
    with anyio.fail_after(60), served(tmp_path) as url:
        pair = await compare(url, rounds=2)

    assert (len(pair.ours), len(pair.other)) == (2, 2)
    assert min(*pair.ours, *pair.other) > 0
