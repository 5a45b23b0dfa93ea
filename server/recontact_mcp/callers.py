"""Who asks, and what they may: worked out anew for every request, from the token that came with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mcp.server.auth.middleware.auth_context import get_access_token

from recontact_mcp.access import LOCAL_PRINCIPAL, NO_CLAIMS, Claims, Credentials, claims_of, policy_within
from recontact_mcp.scopes import ALL, NONE, Scope, granted
from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.policy import may_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.auth.provider import AccessToken

    from recontact_mcp.access import Access
    from recontact_tools.models import Caps, TargetGroup
    from recontact_tools.policy import Policy


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: *credentials* None are those of the settings, *caps* None counts nothing.

    *claims* are those of the token that the access file asks for.
    """

    principal: str
    scopes: frozenset[Scope]
    policy: Policy
    credentials: Credentials | None = None
    caps: Caps | None = None
    claims: Claims = NO_CLAIMS


def principal_of(issuer: str, subject: str) -> str:
    """Return the name under which everything of one person is kept: a subject is unique only per issuer."""
    return f"{issuer}#{subject}"


def nothing_frozen(_principal: str) -> bool:
    """Tell that changes are not stopped."""
    return False


class Callers:
    """Knows who asks: the local user, or with an *issuer* whoever its token names."""

    def __init__(
        self,
        policy: Policy,
        *,
        issuer: str | None,
        asked_over_http: bool,
        access: Callable[[], Access] | None = None,
        frozen: Callable[[str], bool] = nothing_frozen,
    ) -> None:
        self.issuer = issuer
        self._with_tokens = issuer is not None and asked_over_http
        self._access = access
        self._frozen = frozen
        self._policy = policy
        self._local = Caller(LOCAL_PRINCIPAL, ALL, policy)

    def current(self) -> Caller:
        """Return who makes the present request.

        Raises:
            NotAllowed: Nobody that is known here.
        """
        if not self._with_tokens:
            return self._with_freeze(self._local)
        return self._bearer(get_access_token())

    def absent(self, principal: str, claims: Claims) -> Caller:
        """Return who once asked for something that is done only now, with the *claims* they had then.

        Raises:
            NotAllowed: Nobody that is known here any more.
        """
        if principal == LOCAL_PRINCIPAL:
            return self._with_freeze(self._local)
        if self.issuer is None or not principal.startswith(f"{self.issuer}#"):
            raise _nobody()
        return self._known(principal.removeprefix(f"{self.issuer}#"), claims, NONE)

    def may_see(self, principal: str, group: TargetGroup) -> bool:
        """Tell whether somebody who came without a token, to a page, may see what is of a target group.

        Which entries about a claim are about them, only a token tells: any that could be may let them.
        """
        if self._access is None or principal == LOCAL_PRINCIPAL:
            return may_read(self._policy, group)
        if self.issuer is None or not principal.startswith(f"{self.issuer}#"):
            return False
        possible = self._access().possible_for(principal.removeprefix(f"{self.issuer}#"))
        return any(may_read(policy_within(entry, self._policy), group) for entry in possible)

    def credentials_for(self, account_id: int) -> Credentials | None:
        """Return with which credentials an account is looked at for nobody in particular; None: the settings' own."""
        entries = self._access().everybody if self._access else ()
        return next((entry.credentials for entry in entries if account_id in (entry.accounts or ())), None)

    def _bearer(self, token: AccessToken | None) -> Caller:
        """Return whom a token names.

        Raises:
            NotAllowed: There is none, or it is of another issuer; the edge lets neither through.
        """
        claims = token.claims or {} if token is not None else {}
        if token is None or self.issuer is None or not token.subject or claims.get("iss") != self.issuer:
            raise _nobody()
        wanted = self._access().claim_names if self._access else frozenset[str]()
        return self._known(token.subject, claims_of(claims, wanted), granted(token.scopes))

    def _known(self, subject: str, claims: Claims, scopes: frozenset[Scope]) -> Caller:
        caller = Caller(principal_of(self.issuer or "", subject), scopes, self._policy, claims=claims)
        if self._access is not None:
            entry = self._access().entry_of(subject, claims)
            policy = policy_within(entry, self._policy)
            caller = replace(caller, policy=policy, credentials=entry.credentials, caps=entry.caps)
        return self._with_freeze(caller)

    def _with_freeze(self, caller: Caller) -> Caller:
        if not self._frozen(caller.principal):
            return caller
        return replace(caller, policy=replace(caller.policy, frozen=True))


def _nobody() -> NotAllowed:
    return NotAllowed(
        "Nobody that this server knows asks for it; nothing was sent.",
        code=ErrorCode.POLICY_DENIED,
        next_step="Sign in again at the authorization server, then repeat the call.",
        details={"rule": "no valid access token", "lifted_by": "the user, by signing in"},
    )
