"""The identifier file of the demo: what people really have, with known mistakes planted in it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

# ours: enough of each to be seen in a report, few enough to be believable.
PLANTED: Mapping[str, int] = {"duplicate": 37, "blank": 12, "malformed": 9}
MALFORMED = ("n/a", "screened out", "5a3b2ada-77c1-4f0d", "see second sheet", "unknown")
# ours: two exports pasted together, one of them in capitals.
UPPER_CASE_SHARE = 0.3
COUNTRIES = ("DE", "FR", "GB", "US", "BR")


@dataclass(frozen=True, slots=True)
class MessyFile:
    """A file that was written, and what an honest report of it must say."""

    path: Path
    ids: int
    planted: Mapping[str, int]


def write_messy_file(path: Path, ids: int, *, random: Random) -> MessyFile:
    """Write an export as a spreadsheet makes it: header, three columns, CRLF, mixed case, and mistakes."""
    found = [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(ids)]
    rows = [_row(identifier, random) for identifier in found]
    extra = [_row(identifier, random) for identifier in random.choices(found, k=PLANTED["duplicate"])]
    extra += [f"{random.choice(MALFORMED)},{random.choice(COUNTRIES)}," for _ in range(PLANTED["malformed"])]
    extra += [""] * PLANTED["blank"]
    for row in extra:
        rows.insert(random.randint(1, len(rows)), row)
    text = "\r\n".join(("Respondent ID,Country,Completed", *rows, ""))
    path.write_bytes(text.encode())
    return MessyFile(path, ids, PLANTED)


def _row(identifier: str, random: Random) -> str:
    shown = identifier.upper() if random.random() < UPPER_CASE_SHARE else identifier
    return f"{shown},{random.choice(COUNTRIES)},2026-09-{random.randint(1, 30):02}"
