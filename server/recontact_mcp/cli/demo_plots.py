"""The stories that the demo can tell: what is said before, the servers they need, and what they have shown."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from recontact_mcp.cli.demo_client import Era, Person, connected
from recontact_mcp.cli.demo_file import MessyFile
from recontact_mcp.cli.demo_screen import Screen
from recontact_mcp.cli.demo_steps import Typing
from recontact_mcp.cli.demo_workshop import TARGET_GROUP_ID, Workshop

Tell = Callable[[Workshop, MessyFile, Screen, Typing, Era], Awaitable[None]]
_NOTHING_SIMULATED = (
    "Nothing is simulated, nothing leaves this machine, and no account is needed: behind it is the embedded service, "
    "which stores, counts and removes for real."
)


class StoryName(StrEnum):
    """The stories by the names that a person gives."""

    MAIN = "main"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Plot:
    """A story: its introduction, how it is told, and what it has shown at its end."""

    introduction: str
    tell: Tell
    results: Callable[[MessyFile], Mapping[str, str]]


async def _tell_main(workshop: Workshop, file: MessyFile, screen: Screen, typing: Typing, era: Era) -> None:
    from recontact_mcp.cli.demo_story import Story

    way = connected(
        workshop.environment(), Person(), target_group_id=TARGET_GROUP_ID, log=workshop.log("server"), era=era
    )
    async with way as session:
        await Story(session, screen, file, typing).tell()


async def _tell_undo(workshop: Workshop, file: MessyFile, screen: Screen, typing: Typing, era: Era) -> None:
    from recontact_mcp.cli.demo_undo import Undo

    first, second = (
        connected(workshop.environment(), Person(), target_group_id=TARGET_GROUP_ID, log=workshop.log(name), era=era)
        for name in ("server-1", "server-2")
    )
    async with first as one, second as other:
        await Undo(one, other, screen, file, workshop, typing).tell()


def _shown_by_main(file: MessyFile) -> Mapping[str, str]:
    return {
        "uploaded": f"{file.ids:,} identifiers, counted by the server afterwards",
        "refused": "a second job while one ran, and a removal with the wrong words",
        "removed": "everything, after the right words",
    }


def _shown_by_undo(file: MessyFile) -> Mapping[str, str]:
    return {
        "removed": f"{file.ids:,} identifiers, by mistake, after the right words",
        "killed": "the server that was bringing them back, in the middle of it",
        "restored": f"all {file.ids:,}, proved by count and by the hash of the set; differences: none",
    }


PLOTS: Mapping[StoryName, Plot] = {
    StoryName.MAIN: Plot(
        f"A real MCP client starts this program over stdio and does the main job with it. {_NOTHING_SIMULATED}",
        _tell_main,
        _shown_by_main,
    ),
    StoryName.UNDO: Plot(
        "Two MCP clients each start this program over stdio, on one data directory. Everything is uploaded, then "
        "removed by mistake, and brought back from the snapshot that was taken before the removal, although the server "
        f"that does it is killed in the middle. {_NOTHING_SIMULATED}",
        _tell_undo,
        _shown_by_undo,
    ),
}
