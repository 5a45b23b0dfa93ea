"""What every route of the HTTP server works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.remote.approval.announced import announced_pages
from recontact_mcp.remote.approval.place import PATH
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.names import Names, names_of
from recontact_mcp.remote.questions import Allowance
from recontact_mcp.remote.sessions import Sessions
from recontact_mcp.remote.strangers import Strangers, tell_nobody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recontact_mcp.boundary import RecontactServer
    from recontact_mcp.opening import Opening
    from recontact_mcp.remote.metrics import Metrics
    from recontact_mcp.settings import Settings
    from recontact_tools.runtime import Clock

# ours: where `serve` listens when nobody says otherwise.
DEFAULT_LIMITS = Limits()
DEFAULT_ADDRESS = "127.0.0.1:8765"


@dataclass(frozen=True, slots=True)
class Parts:
    """The server and what goes with it; each module of routes takes from it what it needs."""

    settings: Settings
    server: RecontactServer
    opening: Opening
    clock: Clock
    names: Names  # under which hosts and origins this server may be called
    sessions: Sessions
    strangers: Strangers
    limits: Limits = DEFAULT_LIMITS
    metrics: Metrics | None = None

    @property
    def base_url(self) -> str:
        """Where clients and browsers reach this server, without a slash at its end."""
        return self.names.base_url


def parts_for(
    settings: Settings,
    *,
    effects: Effects | None = None,
    address: str = DEFAULT_ADDRESS,
    state_keys: Sequence[bytes] = (),
) -> Parts:
    """Build the server of this process and what goes with it; nothing is opened.

    *address* is where the process listens, `host:port`; *effects* and *state_keys* as for `build_server`.
    """
    chosen, names, metrics = effects or Effects(), names_of(settings, address), _metrics(settings)
    if metrics is not None:
        chosen = replace(chosen, observers=(*chosen.observers, metrics))
    if settings.auth_issuer is None and chosen.pages is None:
        chosen = replace(chosen, pages=partial(announced_pages, names))
    # Tools name addresses of this server, also where nobody set one.
    settings = settings.model_copy(update={"public_url": names.base_url})
    approve_url = f"{names.base_url}{PATH}"
    server = build_server(settings, effects=chosen, local_files=False, state_keys=state_keys, approve_url=approve_url)
    sessions = Sessions(settings.http_session_idle_seconds)
    if metrics is not None:
        server.middleware.insert(0, metrics)
        metrics.look_at(server.opening, sessions)
    strangers = Strangers(_allowance(settings), refused=metrics.refuse_stranger if metrics else tell_nobody)
    return Parts(settings, server, server.opening, chosen.clock, names, sessions, strangers, metrics=metrics)


def _allowance(settings: Settings) -> Allowance:
    return Allowance(
        settings.http_failures_per_minute,
        settings.auth_questions_at_once,
        settings.auth_questions_per_second,
        settings.trusted_proxies,
    )


def _metrics(settings: Settings) -> Metrics | None:
    """Return what counts, where somebody is to see it."""
    if settings.metrics_address is None:
        return None
    # Imported here: most servers are not watched.
    from recontact_mcp.remote.metrics import Metrics  # noqa: PLC0415 (the reason is the line above)

    return Metrics()
