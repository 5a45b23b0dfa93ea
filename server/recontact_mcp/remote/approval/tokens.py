"""What a browser carries for us: sealed, so that it can neither be read nor made, and short-lived."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recontact_tools.sealing import Seal, SealBroken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

_PURPOSE = "approval pages"
# ours: a cookie of ours has some 300; whatever is longer was made by nobody here.
CHARACTERS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Tokens:
    """Seals small facts under a key that every replica derives from the same one."""

    seal: Seal

    @classmethod
    def under(cls, seal: Seal) -> Tokens:
        """Return what seals under a key of its own, derived from the snapshots'."""
        return cls(Seal(lambda: seal.derived(_PURPOSE)))

    def made(self, kind: str, said: Mapping[str, str], *, now: datetime, lasts: timedelta) -> str:
        """Seal facts of a *kind* for so long.

        Raises:
            KeyUnusable: The key cannot be read.
            OSError: It cannot be made.
        """
        until = (now + lasts).timestamp()
        sealed = self.seal.close(json.dumps({**said, "until": until}).encode(), place=kind)
        return urlsafe_b64encode(sealed).decode()

    def read(self, kind: str, text: str | None, *, now: datetime) -> dict[str, str] | None:
        """Return what was sealed as that *kind*; None for what has expired, was changed, or is something else."""
        if not text or len(text) > CHARACTERS_MAX:
            return None
        try:
            sealed = urlsafe_b64decode(text.encode("ascii"))
            said = json.loads(self.seal.open(sealed, place=kind))
        except (ValueError, SealBroken):
            return None
        return said if now.timestamp() < said.pop("until") else None
