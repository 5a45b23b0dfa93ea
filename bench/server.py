"""What the tool surface costs beside a trivial tool on a bare server of the SDK."""

from pathlib import Path

from bench.figures import Figure
from bench.timing import side_by_side
from mcp import Client
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

from recontact_mcp.app import build_server
from recontact_mcp.settings import Settings
from recontact_service.seed import DEFAULT_TARGET_GROUP_ID

ROUNDS = 1_500


class Small(BaseModel):
    """What the trivial tool answers."""

    text: str


async def echo(text: str) -> Small:
    return Small(text=text)


async def measure(folder: Path) -> list[Figure]:
    bare_server = MCPServer("bare")
    bare_server.add_tool(echo)
    async with Client(build_server(Settings(data_dir=folder))) as client, Client(bare_server) as bare:

        async def overview() -> None:
            result = await client.call_tool("get_recontact_overview", {"target_group_id": DEFAULT_TARGET_GROUP_ID})
            assert not result.is_error

        async def trivial() -> None:
            result = await bare.call_tool("echo", {"text": DEFAULT_TARGET_GROUP_ID})
            assert not result.is_error

        pair = await side_by_side(overview, trivial, rounds=ROUNDS)
    return [Figure("get_recontact_overview, beside a tool that does nothing", pair.ratio, "x", 2.0, pair.detail)]
