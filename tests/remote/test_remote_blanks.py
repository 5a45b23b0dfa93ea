"""Blanks around the value of a header, which are none of it."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.remote.conftest import Serve


def test_blanks_around_the_name_of_a_tool_change_nothing(serve: "Serve") -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "get_recontact_overview", "arguments": {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, "_meta": meta}})
    with serve() as server:
        head = [
            "POST /mcp HTTP/1.1",
            f"Host: {server.address[0]}:{server.address[1]}",
            "Content-Type: application/json",
            "Accept: application/json, text/event-stream",
            "MCP-Protocol-Version: 2026-07-28",
            "Mcp-Method: tools/call",
            "Mcp-Name:  \tget_recontact_overview \t ",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        answer = server.exchange("\r\n".join([*head, "", body]).encode())

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"saved_respondent_ids_count" in answer
