"""The survey's URLs: what is wrong with one, in words that never repeat it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from recontact_tools.readiness.facts import Facts, NotRead
from recontact_tools.readiness.findings import Finding, Severity, set_with, unverified

# source: cint-api.md section 3.1
RECONTACT_VARIABLE: Final = "[%RECONTACT_RSID%]"
SESSION_VARIABLE: Final = "[%RID%]"
URL_CHARACTERS_MAX: Final = 3000

# The variable as people mistype it: between brackets of another kind, in another case, with other dividers.
_NEAR = re.compile(r"[\[{<%($\s]{0,6}recontact[_\s.-]{0,2}rsid[\]}>%)\s]{0,6}", re.IGNORECASE)
_NAME_LENGTHS = frozenset({len("RECONTACTRSID"), len("RECONTACT_RSID")})


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a URL; it *blocks* if nobody could take part, or nobody be recognised."""

    words: str
    blocks: bool = True


def flaws(url: str | None) -> tuple[Flaw, ...]:
    """Return all that is wrong with a survey's URL, the worst first."""
    if url is None or not url.strip():
        return (Flaw("there is none"),)
    return tuple(sorted((*_form(url), *_variables(url)), key=lambda flaw: not flaw.blocks))


def check_url(facts: Facts, field: str) -> list[Finding]:
    """Judge `live_url` or `test_url`."""
    if isinstance(facts.described, NotRead):
        return [unverified(field, facts.described, essential=True)]
    described = facts.described.value
    found = flaws(described.live_url if field == "live_url" else described.test_url)
    return [
        Finding(
            field,
            Severity.BLOCKS if flaw.blocks else Severity.RISK,
            flaw.words,
            f"{field} of {facts.described.where}",
            set_with(facts, field),
        )
        for flaw in found
    ]


def _form(url: str) -> Iterator[Flaw]:
    if len(url) > URL_CHARACTERS_MAX:
        yield Flaw(f"it has {len(url)} characters; {URL_CHARACTERS_MAX} are allowed")
    if url != url.strip():
        yield Flaw("it begins or ends with blanks")
    elif any(mark.isspace() for mark in url):
        yield Flaw("it contains blanks or line breaks")
    split = _split(url.strip())
    if split is None or not split.hostname:
        yield Flaw("it is not an absolute URL")
    elif split.scheme != "https":
        yield Flaw("it does not begin with https://")


def _variables(url: str) -> Iterator[Flaw]:
    split = _split(url)
    if RECONTACT_VARIABLE not in url:
        yield Flaw(f"it does not contain {RECONTACT_VARIABLE} exactly{_near_miss(url)}")
    elif split is not None and RECONTACT_VARIABLE not in split.path + split.query:
        yield Flaw(
            f"{RECONTACT_VARIABLE} is not in its path or query, so the survey's server may not see it", blocks=False
        )
    if SESSION_VARIABLE not in url:
        yield Flaw(f"it does not contain {SESSION_VARIABLE}, by which sessions are told apart", blocks=False)


def _near_miss(url: str) -> str:
    """Explain what stands in the place of the variable, if something like it does."""
    plain = unquote(url[:URL_CHARACTERS_MAX])
    if RECONTACT_VARIABLE in plain:
        return ": it is percent-encoded there, but must stand as it is"
    if RECONTACT_VARIABLE in plain.upper():
        return ": it is written in lower case there, but must be in upper case"
    near = [found.group() for found in _NEAR.finditer(plain)]
    if any(len(found) not in _NAME_LENGTHS for found in near):
        return ": something like it is there, with other brackets, case or characters"
    if near:
        return ": a parameter may have that name, but its value must be the variable with its brackets"
    return ""


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
