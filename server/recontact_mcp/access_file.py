"""Reading the access file: strictly, for a rule that is misspelt would stand open unnoticed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from recontact_mcp.access import Access, Credentials, Entry, Matching
from recontact_mcp.settings_file import SettingsError
from recontact_mcp.settings_private import content
from recontact_mcp.settings_values import absolute, account_ids, ulids
from recontact_tools.models import Caps

_Text = Annotated[str, Field(min_length=1, max_length=1_024)]  # ours: far beyond any name
_Cap = Annotated[int, Field(ge=0, le=1_000_000_000)]  # ours: more than anybody does in a day
_STRICT = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=False)


class _Caps(BaseModel):
    model_config = _STRICT

    uploads: _Cap | None = None
    ids: _Cap | None = None
    removals: _Cap | None = None


class _Allowed(BaseModel):
    """What `[default]` and each of `[[principals]]` may say."""

    model_config = _STRICT

    read_only: bool = False
    accounts: Annotated[frozenset[int] | None, BeforeValidator(account_ids)] = None
    projects: Annotated[frozenset[str] | None, BeforeValidator(ulids)] = None
    target_groups: Annotated[frozenset[str] | None, BeforeValidator(ulids)] = None
    caps_per_day: _Caps = _Caps()
    credentials: _Text | None = None


class _Principal(_Allowed):
    subject: _Text | None = None
    claim: _Text | None = None
    value: _Text | None = None

    @model_validator(mode="after")
    def _is_about_somebody(self) -> _Principal:
        by_claim = self.claim is not None and self.value is not None
        if (self.subject is not None) == by_claim or (self.claim is None) != (self.value is None):
            raise ValueError("an entry is about one `subject`, or about a `claim` with a `value`: give exactly one")
        return self


class _Credentials(BaseModel):
    model_config = _STRICT

    name: _Text
    client_id: _Text
    client_secret_file: Annotated[Path, AfterValidator(absolute)] | None = None
    client_secret_command: tuple[_Text, ...] = ()

    @model_validator(mode="after")
    def _has_one_secret(self) -> _Credentials:
        if (self.client_secret_file is not None) == bool(self.client_secret_command):
            raise ValueError("give exactly one of `client_secret_file` and `client_secret_command`")
        if self.client_secret_command and not Path(self.client_secret_command[0]).is_absolute():
            raise ValueError(
                "`client_secret_command` begins with the absolute path of a program: no shell looks for it"
            )
        return self


class _File(BaseModel):
    model_config = _STRICT

    principals: tuple[_Principal, ...] = ()
    default: _Allowed | None = None
    credentials: tuple[_Credentials, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> _File:
        names = [one.name for one in self.credentials]
        if len(set(names)) < len(names):
            raise ValueError("two credentials have the same name")
        allowed = (*self.principals, *((self.default,) if self.default else ()))
        if any(one.credentials is not None and one.credentials not in names for one in allowed):
            raise ValueError("an entry names credentials that are not in the file")
        # Whose accounts are not told could look at what was started with the credentials of others.
        if names and any(one.accounts is None for one in allowed):
            raise ValueError("where there are several credentials, every entry must say its `accounts`")
        return self


def read_access(path: Path) -> Access:
    """Read the access file.

    Raises:
        SettingsError: It cannot be read, is open to others, or says something that it cannot say. What it holds is
            not told, only where the fault is.
    """
    try:
        found = content(path)
        parsed = tomllib.loads(found.data.decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(("RECONTACT_ACCESS_FILE: the file cannot be read.",)) from None
    except tomllib.TOMLDecodeError:
        raise SettingsError(("RECONTACT_ACCESS_FILE: the file is not TOML.",)) from None
    if found.exposed:
        raise SettingsError((f"RECONTACT_ACCESS_FILE: the file {found.exposed}.",))
    try:
        return _access(_File.model_validate(parsed))
    except ValidationError as error:
        raise SettingsError(_problems(error)) from None


def _access(file: _File) -> Access:
    credentials = {one.name: _credentials(one) for one in file.credentials}
    entries = tuple(
        _entry(f"principals[{number}]", one, Matching(one.subject, one.claim, one.value), credentials)
        for number, one in enumerate(file.principals)
    )
    default = _entry("default", file.default, Matching(), credentials) if file.default else None
    return Access(entries, default, frozenset(one.claim for one in file.principals if one.claim))


def _entry(where: str, said: _Allowed, matching: Matching, credentials: dict[str, Credentials]) -> Entry:
    return Entry(
        where=where,
        matching=matching,
        read_only=said.read_only,
        accounts=said.accounts,
        projects=said.projects,
        target_groups=said.target_groups,
        caps=Caps(said.caps_per_day.uploads, said.caps_per_day.ids, said.caps_per_day.removals),
        credentials=credentials[said.credentials] if said.credentials else None,
    )


def _credentials(said: _Credentials) -> Credentials:
    return Credentials(said.name, said.client_id, said.client_secret_file, said.client_secret_command)


def _problems(error: ValidationError) -> tuple[str, ...]:
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"RECONTACT_ACCESS_FILE: {where}: {message}" if where else f"RECONTACT_ACCESS_FILE: {message}")
    return tuple(dict.fromkeys(lines))
