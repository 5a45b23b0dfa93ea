"""A trivial tool on a bare server of the SDK, served as ours is: what the HTTP server is measured beside."""

import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel


class Small(BaseModel):
    """What the trivial tool answers."""

    text: str


async def echo(text: str) -> Small:
    return Small(text=text)


def main(port: int) -> None:
    """Serve with uvloop and httptools, JSON answers and no access log."""
    server = MCPServer("bare", log_level="WARNING")
    server.add_tool(echo)
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
