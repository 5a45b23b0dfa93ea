"""A desk over the real service."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from desk_setting import ANYTHING, KEPT, SEAL, Setting
from ledger_places import DATABASES, Place, place_of

from recontact_service.faults import Faults
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.desk import Desk
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Clock


@pytest.fixture(params=DATABASES)
def place_of_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for the ledger, on each database."""
    return place_of(request.param, request, tmp_path / "ledger.sqlite")


@pytest.fixture
async def setting(tmp_path: Path, place_of_ledger: Place) -> AsyncIterator[Setting]:
    """Set a desk up over a service at full speed, and take it down."""
    faults = Faults()
    settings = ServiceSettings(database=tmp_path / "service.sqlite", clients={"test": "secret"})
    connection = Connection("http://service.invalid/v1", "http://service.invalid/oauth/token", "test", "secret")

    async def at_once(_seconds: float) -> None:
        """Retry a read without waiting."""

    async with running(settings, faults=faults) as service:
        place = Setting(service, faults)
        transport = httpx.ASGITransport(app=service.app)
        way = Gateway(connection, transport=transport, now=lambda: place.now().timestamp(), sleep=at_once)
        async with way as gateway:
            ledger = await place_of_ledger.open()
            clock = Clock(now=place.now, sleep=place.sleep)
            place.desk = Desk(
                gateway, ledger, clock, pace=0.0, policy=ANYTHING, seal=SEAL, snapshots_kept=KEPT, publish=place.publish
            )
            yield place
            await ledger.aclose()
