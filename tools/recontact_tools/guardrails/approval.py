"""Who may decide about a plan outside the client, and the codes by which people name plans."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

# ours: no letter or digit that is taken for another one, in print or when it is read aloud.
CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
# ours: 6.5e11 codes; whoever tries ten in ten minutes for a year finds one of a thousand with a chance of 1e-3,
# and a code approves nothing.
CODE_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class MayDecide:
    """This principal may approve or deny the plan."""

    principal: str


def may_decide(principal: str, *, asker: str, approvers: Collection[str], two_person: bool) -> MayDecide | None:
    """Accept whoever asked and every named approver; of two persons the one who asked is never the second."""
    if principal == asker:
        return None if two_person else MayDecide(principal)
    return MayDecide(principal) if principal in approvers else None


def code_shown(code: str) -> str:
    """Return a code as people are shown it: in two halves."""
    half = CODE_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def code_read(text: str) -> str | None:
    """Return the code that a person wrote, whatever its case and blanks; None if it is none."""
    code = "".join(text.upper().replace("-", "").split())
    return code if len(code) == CODE_LENGTH and set(code) <= set(CODE_ALPHABET) else None
