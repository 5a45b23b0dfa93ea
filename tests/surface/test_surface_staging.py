"""Tickets of staged files, as an assistant meets them over HTTP: before anything has arrived, and forged."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Call

    from recontact_mcp.opening import Effects

pytestmark = pytest.mark.anyio

ORIGIN = "https://recontact.example.com"
FORGED = "x" * 22


async def test_a_ticket_without_a_file_says_that_the_user_has_to_send_it(
    era: str, connect: "Connect", effects: "Effects", call: "Call", refused: "Call"
) -> None:
    async with connect(era, effects=effects, local_files=False, public_url=ORIGIN) as client:
        staged = await call(client, "stage_upload")
        error = await refused(client, "upload_recontacts", ticket=staged["ticket"])
    assert staged["upload_url"].startswith(f"{ORIGIN}/")
    assert (error["code"], error["changed"]) == ("TICKET_EMPTY", "no")


async def test_a_ticket_that_nobody_was_given_is_of_no_use(
    era: str, connect: "Connect", effects: "Effects", refused: "Call"
) -> None:
    async with connect(era, effects=effects, local_files=False, public_url=ORIGIN) as client:
        error = await refused(client, "upload_recontacts", ticket=FORGED)
    assert (error["code"], error["changed"]) == ("TICKET_NOT_VALID", "no")
