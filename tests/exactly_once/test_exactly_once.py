"""Whatever gets lost, dies or is repeated: the API runs at most one job per intent, and the ledger knows which.

`HYPOTHESIS_PROFILE=thorough python3 run.py test tests/exactly_once` plays 2,000 schedules per API version.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from broken_network import NetworkFault
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledger_places import Place, SchemaPlace
from one_job_world import Again, Die, Elsewhere, Remove, Step, Trouble, Upload, Wait, world_in

from recontact_service.faults import FaultKind

PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "brief"))
# ours: far longer than any schedule takes; what waits for something that never happens is stopped by it.
SECONDS_EACH = 60.0
# ours: each makes a schema and connects anew for every look; what is decided does not depend on the database.
ON_POSTGRESQL_ONE_IN = 4

KEYS = st.sampled_from([None, None, "a", "b"])
POST_FAULTS = [
    (),
    (FaultKind.CONFLICT,),
    (FaultKind.RATE_LIMITED,),
    (FaultKind.ERROR,),
    (FaultKind.ERROR_AFTER_COMMIT,),
    (FaultKind.LOST_ANSWER,),
    (FaultKind.PROXY_HTML,),
    (FaultKind.EXPIRED_TOKEN,),
    (FaultKind.EXPIRED_TOKEN, FaultKind.EXPIRED_TOKEN),
    (FaultKind.EXPIRED_TOKEN, FaultKind.ERROR_AFTER_COMMIT),
]
LOOK_FAULTS = st.tuples(
    st.sampled_from([FaultKind.ERROR, FaultKind.RATE_LIMITED, FaultKind.PROXY_HTML, FaultKind.EXPIRED_TOKEN]),
    st.sampled_from([1, 4, 9, 40]),
)
DEATHS = st.integers(0, 45)
TROUBLES = st.one_of(
    st.just(Trouble()),
    st.builds(Trouble, network=st.sampled_from(NetworkFault)),
    st.builds(Trouble, service=st.sampled_from(POST_FAULTS)),
    st.builds(Trouble, dies_after=DEATHS),
    st.builds(
        Trouble,
        network=st.sampled_from(NetworkFault),
        service=st.sampled_from(POST_FAULTS),
        looks=st.none() | LOOK_FAULTS,
        dies_after=st.none() | DEATHS,
    ),
)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(Upload, st.integers(0, 2), KEYS, TROUBLES, st.sampled_from([1, 1, 1, 2])),
    st.builds(Upload, st.just(0), st.sampled_from([None, "a"]), TROUBLES),
    st.builds(Remove, KEYS, st.sampled_from([True, True, True, False]), TROUBLES),
    st.just(Again()),
    st.just(Again()),
    st.builds(Elsewhere, st.integers(0, 1)),
    st.builds(Wait, st.sampled_from([1, 30, 120, 120, 500, 700, 4_000, 90_000])),
    st.just(Die()),
)


def upload(**trouble: Any) -> Upload:
    """Return an upload without a key that meets trouble."""
    return Upload(0, None, Trouble(**trouble))


API_VERSIONS = pytest.mark.parametrize("api_version", ["2025-12-18", "2025-05-27"])
Test = Callable[..., None]


def scheduled(test: Test) -> Test:
    """Play some schedules that are worth it, and many that chance makes."""
    chosen = given(stored=st.booleans(), steps=st.lists(STEPS, min_size=1, max_size=8))(test)
    for stored, steps in KNOWN:
        chosen = example(stored=stored, steps=steps)(chosen)
    return chosen


KNOWN: list[tuple[bool, list[Step]]] = [
    (False, [upload(network=NetworkFault.LOST_REQUEST), Wait(500), Again()]),
    (False, [upload(network=NetworkFault.VERY_LATE), Wait(4_000), Wait(4_000), Again()]),
    (True, [upload(service=(FaultKind.ERROR_AFTER_COMMIT,), dies_after=20), Again(), Again()]),
    (
        True,
        [
            Remove("a", agrees=True, trouble=Trouble(NetworkFault.LATE)),
            Wait(500),
            Remove("a", agrees=True, trouble=Trouble()),
        ],
    ),
]


async def play(api_version: str, steps: list[Step], *, stored: bool, ledger: Place | None = None) -> None:
    """Play a schedule in a world of its own."""
    with anyio.fail_after(SECONDS_EACH), TemporaryDirectory() as folder:
        async with world_in(Path(folder), api_version, ledger) as world:
            await world.play([Elsewhere(1), Wait(120), *steps] if stored else steps)


@pytest.mark.timeout(3_600)
@API_VERSIONS
@settings(PROFILE)
@scheduled
def test_the_api_runs_at_most_one_job_per_intent_and_the_ledger_knows_it(
    api_version: str, steps: list[Step], *, stored: bool
) -> None:
    anyio.run(partial(play, api_version, steps, stored=stored))


@pytest.mark.timeout(3_600)
@API_VERSIONS
@settings(PROFILE, max_examples=PROFILE.max_examples // ON_POSTGRESQL_ONE_IN)
@scheduled
def test_the_same_holds_for_a_ledger_on_postgresql(
    api_version: str, database_url: str, steps: list[Step], *, stored: bool
) -> None:
    ledger = SchemaPlace(database_url, f"world_{token_hex(8)}")
    try:
        anyio.run(partial(play, api_version, steps, stored=stored, ledger=ledger))
    finally:
        ledger.change(f"DROP SCHEMA IF EXISTS {ledger.schema} CASCADE")
