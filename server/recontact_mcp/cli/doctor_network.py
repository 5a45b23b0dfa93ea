"""The doctor's looks at the way to Cint, stage by stage, in the order in which a request meets them."""

from recontact_mcp.cli import doctor_answers as answers
from recontact_mcp.cli import doctor_words as words
from recontact_mcp.cli.findings import NOBODYS_TARGET_GROUP, Finding, Look
from recontact_tools.gateway.probing import Probe, Reply, Trouble
from recontact_tools.models import TargetGroup
from recontact_tools.versions import VERSIONS

NOBODYS_PROJECT = "0" * 26

NAMES, PROXY, CONNECTION, CREDENTIALS = "Name lookup", "Proxy", "Connection", "Credentials"
CLOCK, VERSION, ACCOUNT = "Clock", "API version", "Account"
STAGES = (NAMES, PROXY, CONNECTION, CREDENTIALS, CLOCK, VERSION, ACCOUNT)


class NetworkLooks:
    """Seven looks that build on each other: what one saw, the next ones use. Nothing is changed anywhere."""

    def __init__(self, probe: Probe, *, version: str, account_id: int | None, project_id: str | None) -> None:
        self._probe = probe
        self._version = version
        self._account_id = account_id
        self._nobody = TargetGroup(account_id or 1, project_id or NOBODYS_PROJECT, NOBODYS_TARGET_GROUP)
        self._replies: list[Reply] = []

    @property
    def looks(self) -> tuple[tuple[str, Look], ...]:
        """The looks with their names, in their order."""
        looks = (
            self.names, self.proxy, self.connection, self.credentials, self.clock, self.version, self.account,
        )  # fmt: skip
        return tuple(zip(STAGES, looks, strict=True))

    async def names(self) -> Finding:
        """Look whether the names can be resolved."""
        if (found := await self._probe.names()) is not None:
            return self._on_the_way_to_a_proxy(NAMES, found)
        hosts = (self._probe.proxy.host,) if self._probe.proxy else self._probe.hosts
        return Finding(NAMES, "ok", ", ".join(host.host for host in hosts))

    async def proxy(self) -> Finding:
        """Look whether the proxy can be reached, if there is one."""
        if (found := await self._probe.reach_proxy()) is not None:
            return self._on_the_way_to_a_proxy(PROXY, found)
        proxy = self._probe.proxy
        return Finding(PROXY, "ok", f"{proxy.host} takes connections" if proxy else "none is used")

    def _on_the_way_to_a_proxy(self, name: str, found: Trouble) -> Finding:
        proxy = self._probe.proxy
        return words.trouble(name, found) if proxy is None else words.proxy_trouble(name, found, proxy)

    async def connection(self) -> Finding:
        """Look whether both hosts answer anything at all, and whether their certificates are good."""
        for found in await self._probe.reach():
            if isinstance(found, Trouble):
                return words.trouble(CONNECTION, found)
            self._replies.append(found)
        return Finding(CONNECTION, "ok", "every host answers")

    async def credentials(self) -> Finding:
        """Look whether the token endpoint gives a token."""
        found = await self._probe.fetch_token()
        if isinstance(found, Trouble):
            return words.trouble(CREDENTIALS, found)
        self._replies.append(found)
        if not self._probe.has_token:
            return words.token_refused(CREDENTIALS, found)
        return Finding(CREDENTIALS, "ok", "the token endpoint gave a token")

    async def clock(self) -> Finding:
        """Look whether our clock agrees with those of the hosts."""
        return words.clock(CLOCK, [reply.ahead_seconds for reply in self._replies])

    async def version(self) -> Finding:
        """Look whether the API accepts the version: by a harmless read or two, and under another version."""
        found = await self._probe.overview(self._nobody)
        if isinstance(found, Trouble):
            return words.trouble(VERSION, found)
        self._replies.append(found)
        if answers.looked_in_vain(found) and (astray := await self._astray()) is not None:
            return astray
        return answers.version(VERSION, self._version, found, instead=await self._accepted_instead(found))

    async def account(self) -> Finding:
        """Say what the last read told about the account."""
        return answers.account(ACCOUNT, self._account_id, self._replies[-1])

    async def _astray(self) -> Finding | None:
        """Ask for what is there whatever the target group: "not found" may have been said of the path."""
        listed = await self._probe.study_types()
        if isinstance(listed, Trouble):
            return words.trouble(VERSION, listed)
        return answers.unknown_path(VERSION, self._version, listed, path=self._probe.base_path)

    async def _accepted_instead(self, refused: Reply) -> str | None:
        """Return a version under which a read goes through that was refused under ours."""
        if refused.status not in {400, 401, 403, 406}:
            return None
        for other in VERSIONS:
            found = (
                await self._probe.overview(self._nobody, version=other.name) if other.name != self._version else None
            )
            if isinstance(found, Reply) and answers.answers_usably(found):
                return other.name
        return None
