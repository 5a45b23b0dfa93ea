"""The way in of a server over HTTP without authorization: a link that only its own terminal shows."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recontact_mcp.remote.approval.place import Place
from recontact_tools.guardrails import code_shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from recontact_mcp.remote.names import Names
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approval


def write_to_terminal(text: str) -> None:
    """Write to the server's own terminal, past its log, which others may collect."""
    sys.stderr.write(text)
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class AnnouncedPages:
    """Announces a link for each question."""

    place: Place
    write: Callable[[str], None]

    async def show(self, approval: Approval) -> bool:
        """Announce a plan; a link that was used is made anew when the caller asks again."""
        link = await self.place.link(approval.code, approval.plan.principal)
        self.write(
            f"\nA person has to decide about a removal (code {code_shown(approval.code)}).\n"
            f"This link works once, for whoever opens it first: {link}\n\n"
        )
        return True


@asynccontextmanager
async def announced_pages(
    names: Names, decisions: Callable[[], Awaitable[Decisions]], *, write: Callable[[str], None] = write_to_terminal
) -> AsyncGenerator[AnnouncedPages]:
    """Announce links to the pages of the server itself."""
    yield AnnouncedPages(Place(names.base_url, names.origins, decisions, links=True), write)
