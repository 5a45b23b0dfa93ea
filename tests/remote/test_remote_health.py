"""Probes: whether the process lives and can serve, said in our words, cheaply, and to whoever asks."""

from typing import TYPE_CHECKING

import anyio
import pytest

from recontact_mcp.remote.health import READY, SLOW, STOPPING, Health, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.remote.conftest import Front

    from recontact_mcp.remote.parts import Parts

pytestmark = pytest.mark.anyio


class Looked:
    """Stands where the opening of a server does, and counts how often it is looked at."""

    def __init__(self, parts: "Parts", *, reason: str | None = None, ever: bool = True) -> None:
        self.ending = parts.opening.ending
        self.looks = 0
        self.reason = reason
        self._ever = ever

    async def unready(self) -> str | None:
        """Say what there is to say, or nothing ever."""
        self.looks += 1
        if not self._ever:
            await anyio.sleep_forever()
        return self.reason


async def test_a_process_that_can_serve_says_so(front: "Front") -> None:
    async with front() as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert ready.headers["cache-control"] == "no-store"


async def test_a_process_that_cannot_open_its_data_lives_but_is_not_ready(front: "Front", tmp_path: "Path") -> None:
    (tmp_path / "file").write_text("in the way")
    async with front(data_dir=tmp_path / "file") as client:
        alive, ready = await client.get("/livez"), await client.get("/readyz")
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "data directory" in ready.json()["status"]
    assert str(tmp_path) not in ready.text


async def test_a_process_that_is_told_to_stop_is_not_ready_from_then_on(
    front: "Front", parts: "Callable[..., Parts]"
) -> None:
    made = parts()
    async with front(made) as client:
        assert (await client.get("/readyz")).status_code == 200
        made.opening.ending.announce()
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": STOPPING.reason})
    assert ready.headers["connection"] == "close"


async def test_many_who_ask_cost_one_look_a_second(parts: "Callable[..., Parts]") -> None:
    looked, now = Looked(parts()), [0.0]
    health = Health(looked, now=lambda: now[0])
    for _ in range(50):
        assert await health.state() == READY
    assert looked.looks == 1
    now[0] = 1.0
    looked.reason = "The database cannot be used."
    assert await health.state() == State(ready=False, reason="The database cannot be used.")
    assert looked.looks == 2


async def test_what_does_not_answer_in_time_is_not_ready(parts: "Callable[..., Parts]") -> None:
    with anyio.fail_after(20):
        assert await Health(Looked(parts(), ever=False)).state() == SLOW
