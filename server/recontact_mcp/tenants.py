"""What each caller works with: the rules of that person, and the way to the API of that person's credentials."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.abc

from recontact_mcp.access import LOCAL_PRINCIPAL, claims_kept, claims_of
from recontact_tools.desk import Mandate
from recontact_tools.errors import NotAllowed
from recontact_tools.places import Places
from recontact_tools.shared_looks import SharedLooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from recontact_mcp.access import Credentials
    from recontact_mcp.callers import Caller, Callers
    from recontact_tools.gateway import Gateway
    from recontact_tools.runtime import Runtime

# ours: some kilobytes each; whoever was forgotten only looks a place up again.
RUNTIMES_KEPT: Final = 1_024
Id = TypeVar("Id", int, str)


def usual(configured: Id | None, allowed: frozenset[Id] | None) -> Id | None:
    """Return what a call means that names none: the only one that is allowed, else the configured one if it is."""
    if allowed is None or configured in allowed:
        return configured
    return next(iter(allowed)) if len(allowed) == 1 else None


class Tenants:
    """The runtimes of a process: one for each caller, and one gateway for each of the credentials.

    *way* opens a gateway late; *tasks* hold the opened ones until *closing*.
    """

    def __init__(
        self,
        base: Runtime,
        callers: Callers,
        *,
        way: Callable[[Credentials], AbstractAsyncContextManager[Gateway]],
        tasks: anyio.abc.TaskGroup,
        closing: anyio.Event,
    ) -> None:
        self._base = base
        self._callers = callers
        self._way = way
        self._tasks = tasks
        self._closing = closing
        self._lock = anyio.Lock()
        self._gateways: dict[Credentials, Gateway] = {}
        self._looks: dict[Credentials | None, SharedLooks] = {None: base.looks}
        self._runtimes: OrderedDict[Caller, Runtime] = OrderedDict()

    async def runtime(self, caller: Caller) -> Runtime:
        """Return what a caller works with; what one remembers, no other sees."""
        if caller.principal == LOCAL_PRINCIPAL and caller.policy == self._base.rules.policy:
            return self._base
        known = self._runtimes.get(caller)
        if known is None:
            known = self._runtimes[caller] = await self._made(caller)
            while len(self._runtimes) > RUNTIMES_KEPT:
                self._runtimes.popitem(last=False)
        return known

    async def mandate(self, principal: str, account_id: int, claims: str | None) -> Mandate:
        """Return in whose name a workflow acts that *principal* asked for, with *claims* kept with its work.

        These and the access file as it is now decide, whoever else has asked meanwhile, and in every process. Whoever
        is not known any more may have nothing sent; what was sent is still looked at.
        """
        try:
            # Earlier versions kept them with the principal alone.
            kept = await self._base.ledger.usage.claims_of(principal) if claims is None else json.loads(claims)
            caller = self._callers.absent(principal, claims_of(kept, frozenset(kept)))
        except NotAllowed as objection:
            gateway = await self._gateway(self._callers.credentials_for(account_id))
            return Mandate(gateway, self._base.rules.policy, objection)
        return Mandate(await self._gateway(caller.credentials), caller.policy)

    async def runtime_for(self, account_id: int) -> Runtime:
        """Return what an account is looked at with for nobody in particular: for all who watch a job of it."""
        credentials = self._callers.credentials_for(account_id)
        if credentials is None:
            return self._base
        gateway, looks = await self._gateway(credentials), self._looks.setdefault(credentials, SharedLooks())
        return replace(self._base, gateway=gateway, looks=looks)

    async def _made(self, caller: Caller) -> Runtime:
        base = self._base
        gateway = await self._gateway(caller.credentials)
        looks = self._looks.setdefault(caller.credentials, SharedLooks())
        rules = replace(
            base.rules,
            policy=caller.policy,
            caps=caller.caps,
            account_id=usual(base.rules.account_id, caller.policy.accounts),
            project_id=usual(base.rules.project_id, caller.policy.projects),
        )
        return replace(
            base,
            principal=caller.principal,
            rules=rules,
            gateway=gateway,
            places=Places(),
            looks=looks,
            claims=json.dumps(claims_kept(caller.claims), sort_keys=True),
        )

    async def _gateway(self, credentials: Credentials | None) -> Gateway:
        if credentials is None:
            return self._base.gateway
        async with self._lock:
            if credentials not in self._gateways:
                self._gateways[credentials] = await self._tasks.start(self._hold, credentials)
            return self._gateways[credentials]

    async def _hold(self, credentials: Credentials, *, task_status: anyio.abc.TaskStatus[Gateway]) -> None:
        """Open a gateway, and close it in the task that opened it."""
        async with self._way(credentials) as gateway:
            task_status.started(gateway)
            await self._closing.wait()
