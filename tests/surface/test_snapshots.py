"""The definition of every tool, word for word: what a model reads changes only when somebody means it to."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recontact_tools.catalog import catalog

if TYPE_CHECKING:
    from mcp_types import Tool
    from tests.conftest import Connect

pytestmark = pytest.mark.anyio

SNAPSHOTS = Path(__file__).resolve().parents[1] / "snapshots"


def snapshot_of(tool: "Tool") -> str:
    """Write a tool's definition as it is listed, in a form whose differences read well."""
    definition = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(definition, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def may_write(environ: Mapping[str, str]) -> bool:
    """Tell whether a person asked for new snapshots; on CI nobody is there to read them."""
    return environ.get("UPDATE_SNAPSHOTS") == "1" and environ.get("CI", "").casefold() in {"", "0", "false"}


# Over HTTP they take a staged file in place of one of this machine, and are kept under names of their own.
REMOTE = ("stage_upload", "preview_upload", "upload_recontacts", "replace_recontacts")
KEPT = {
    **{operation.name: (operation.name, True) for operation in catalog(local_files=True)},
    **{f"{name}.remote": (name, False) for name in REMOTE},
}


@pytest.mark.parametrize("kept_as", KEPT)
async def test_a_tool_is_defined_as_its_snapshot_says(era: str, connect: "Connect", kept_as: str) -> None:
    name, local_files = KEPT[kept_as]
    async with connect(era, local_files=local_files) as client:
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == name]
    path, current = SNAPSHOTS / f"{kept_as}.json", snapshot_of(tool)
    if may_write(os.environ):
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(current, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    assert current == kept, (
        f"The definition of {kept_as} changed: read the difference, and if it is meant: make snapshots"
    )


@pytest.mark.parametrize(
    ("environ", "writes"),
    [
        pytest.param({}, False, id="nobody asked"),
        pytest.param({"UPDATE_SNAPSHOTS": "1"}, True, id="a person asked"),
        pytest.param({"UPDATE_SNAPSHOTS": "1", "CI": "false"}, True, id="a person says it is not CI"),
        pytest.param({"UPDATE_SNAPSHOTS": "1", "CI": "true"}, False, id="CI asked"),
        pytest.param({"UPDATE_SNAPSHOTS": "1", "CI": "1"}, False, id="another CI asked"),
    ],
)
def test_snapshots_are_written_when_a_person_asks_and_never_on_ci(environ: dict[str, str], *, writes: bool) -> None:
    assert may_write(environ) is writes


def test_every_snapshot_is_of_a_tool() -> None:
    kept = {path.stem for path in SNAPSHOTS.glob("*.json")}
    assert not kept - KEPT.keys(), "Remove the snapshots of tools that are no more."


async def test_every_other_tool_is_the_same_over_http(era: str, connect: "Connect") -> None:
    lists: list[dict[str, str]] = []
    for local_files in (True, False):
        async with connect(era, local_files=local_files) as client:
            tools = (await client.list_tools()).tools
        lists.append({tool.name: snapshot_of(tool) for tool in tools if tool.name not in REMOTE})
    here, remote = lists
    assert remote == {name: tool for name, tool in here.items() if name != "cancel_recontact_job"}
