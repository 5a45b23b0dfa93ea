"""What the demo's stories have in common: counting, following a job, and typing a phrase."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio

from recontact_mcp.cli.demo_client import Session, Surprise, expect
from recontact_mcp.cli.demo_screen import Screen

# ours: smooth to the eye, nothing to the server.
LOOK_SECONDS = 0.25
# source: architecture.md, the longest wait a job tool takes
WAIT_SECONDS = 45
# ours: two slips of the finger.
ATTEMPTS = 3

Typing: TypeAlias = Callable[[], Awaitable[str]] | None


async def stored(session: Session) -> int:
    """Return how many IDs the server says are stored."""
    overview = await session.call("get_recontact_overview")
    return int(overview["saved_respondent_ids_count"])


async def watch(session: Session, show: Callable[[int], None]) -> None:
    """Show the count of stored IDs again and again."""
    while True:
        show(await stored(session))
        await anyio.sleep(LOOK_SECONDS)


async def followed(session: Session, tool: str, job: dict[str, Any], show: Callable[[int], None]) -> dict[str, Any]:
    """Follow a job to its end, showing the count of stored IDs meanwhile, and return its last report.

    Raises:
        Surprise: It did not end well.
    """
    report = job
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, session, show)
        while report["status"] in {"Processing", "Preparing"}:
            report = await session.call(tool, job_id=job["job_id"], wait_seconds=WAIT_SECONDS)
        tasks.cancel_scope.cancel()
    show(await stored(session))
    expect(report["status"] == "Completed", f"The job ended as {report['status']}.")
    return report


async def removal(session: Session, screen: Screen, typing: Typing, *, ids: int) -> dict[str, Any]:
    """Remove everything once a person has typed the phrase.

    Raises:
        Surprise: It was not typed.
    """

    async def agree(message: str) -> str:
        screen.question(message)
        if typing is not None:
            return await typing()
        phrase = f"REMOVE {ids} FROM {session.target_group_id}"
        screen.say(f'the demo, as the client\'s user, types  [bold]"{phrase}"[/]')
        return phrase

    session.person.reply = agree
    for _ in range(ATTEMPTS):
        screen.call("remove_all_recontacts", "")
        asked = session.person.asked
        answer, refused = await session.attempt("remove_all_recontacts")
        expect(session.person.asked == asked + 1, "The server did not ask a person exactly once.")
        if not refused:
            eta = answer["eta_seconds"]
            screen.good(f"job {answer['job_id']}, {answer['status']}, about {eta['low']} to {eta['high']} s")
            return answer
        screen.refusal(answer["error"])
    raise Surprise("The phrase was not typed; nothing was removed.")
