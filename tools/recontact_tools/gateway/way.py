"""The way of a request out of this process: through the circuit of its host, and in the turn of its account."""

from collections.abc import Callable
from functools import partial

import httpx

from recontact_tools.gateway.accounts import Account
from recontact_tools.gateway.answers import Outcome
from recontact_tools.gateway.circuit import FAILURES, Circuit, Exchange
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.wire import Wire


class Way:
    """Exchange requests for outcomes; within one process, and unless the connection says otherwise, by no detour.

    A token comes from another host: it has a circuit of its own and no turns, for it belongs to no account.
    """

    def __init__(self, wire: Wire, connection: Connection, *, polite: bool, now: Callable[[], float]) -> None:
        failures = connection.circuit_failures or (FAILURES if polite else None)
        self._circuit = Circuit(failures, connection.circuit_seconds, now) if failures else None
        tokens = Circuit(failures, connection.circuit_seconds, now) if failures else None
        self.read: Exchange = self._circuit.around(wire.exchange) if self._circuit else wire.exchange
        self.start: Exchange = self._circuit.around(wire.exchange_in_time) if self._circuit else wire.exchange_in_time
        self.token: Exchange = tokens.around(wire.exchange) if tokens else wire.exchange

    async def sent(self, account: Account, exchange: Exchange, request: httpx.Request, *, until: float) -> Outcome:
        """Return what comes of *request*, which leaves in the account's turn, by the moment *until* or never.

        Raises:
            RateLimited: Its turn would come later; nothing was sent.
        """
        if account.turns is None:
            return await exchange(request)
        held_back = self._circuit.held_back() if self._circuit else None
        return held_back or await account.turns.take(partial(exchange, request), until=until)
