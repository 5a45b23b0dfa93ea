"""What the access file says: who may do what, and as whom they reach Cint. Values and pure functions only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from recontact_tools.errors import NotAllowed
from recontact_tools.policy import ACCESS_EDITOR, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recontact_tools.models import Caps

LOCAL_PRINCIPAL: Final = "local"
Claims: TypeAlias = frozenset[tuple[str, str]]
"""The claims of a token that the access file asks for: each name with one of its values."""
NO_CLAIMS: Final[Claims] = frozenset()


@dataclass(frozen=True, slots=True)
class Credentials:
    """As whom Cint is reached: a client id, and where its secret is read when it is needed."""

    name: str
    client_id: str
    secret_file: Path | None = None
    secret_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matching:
    """Whom an entry is about: one subject, or everybody whose *claim* has, or holds, *value*."""

    subject: str | None = None
    claim: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry of the file lets its people do; *where* is its place in the file.

    *credentials* None are those of the settings.
    """

    where: str
    matching: Matching
    read_only: bool
    accounts: frozenset[int] | None
    projects: frozenset[str] | None
    target_groups: frozenset[str] | None
    caps: Caps
    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class Access:
    """The whole file: the first entry that is about somebody counts, then the default, then nothing is allowed."""

    entries: tuple[Entry, ...]
    default: Entry | None
    claim_names: frozenset[str] = field(default=frozenset())

    @property
    def everybody(self) -> tuple[Entry, ...]:
        """Every entry, and the default."""
        return (*self.entries, self.default) if self.default is not None else self.entries

    def possible_for(self, subject: str) -> tuple[Entry, ...]:
        """Return the entries of which one counts for somebody whose claims nobody knows."""
        possible: list[Entry] = []
        for entry in self.entries:
            if entry.matching.subject in {None, subject}:
                possible.append(entry)
            if entry.matching.subject == subject:
                return tuple(possible)
        return tuple(possible) if self.default is None else (*possible, self.default)

    def entry_of(self, subject: str, claims: Claims) -> Entry:
        """Return what counts for somebody.

        Raises:
            NotAllowed: No entry does.
        """
        for entry in self.entries:
            if _is_about(entry.matching, subject, claims):
                return entry
        if self.default is None:
            raise unknown_principal()
        return self.default


def _is_about(matching: Matching, subject: str, claims: Claims) -> bool:
    if matching.subject is not None:
        return matching.subject == subject
    return (matching.claim, matching.value) in claims


def claims_of(claims: Mapping[str, object], names: frozenset[str]) -> Claims:
    """Return the values of the named claims: of a text itself, of a list each text in it; nothing of all others."""
    found: set[tuple[str, str]] = set()
    for name in names:
        value = claims.get(name)
        values = cast("list[object]", value) if isinstance(value, list) else [value]
        found |= {(name, one) for one in values if isinstance(one, str)}
    return frozenset(found)


def claims_kept(claims: Claims) -> dict[str, list[str]]:
    """Return claims as they are written down: each name with its values."""
    kept: dict[str, list[str]] = {}
    for name, value in sorted(claims):
        kept.setdefault(name, []).append(value)
    return kept


def policy_within(entry: Entry, general: Policy) -> Policy:
    """Return an entry as a policy; what the settings say holds too."""
    return Policy(
        read_only=entry.read_only,
        accounts=entry.accounts,
        projects=entry.projects,
        target_groups=entry.target_groups,
        entry=entry.where,
        within=general,
    )


def unknown_principal() -> NotAllowed:
    """Say that the access file does not name whoever asks."""
    return NotAllowed(
        "The access file of this server has no entry for you; nothing was sent.",
        next_step=f"Tell the user. Only {ACCESS_EDITOR} can add one.",
        details={
            "setting": "RECONTACT_ACCESS_FILE",
            "rule": "no entry of the access file",
            "lifted_by": ACCESS_EDITOR,
        },
    )
