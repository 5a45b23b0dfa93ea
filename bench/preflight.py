"""Time the preflight of 100,000 lines beside a loop over `uuid.UUID`, and weigh its memory."""

import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median

from recontact_tools.identifiers import read_identifiers

LINES = 100_000
BLOCKS = 3
ROUNDS = 5
# A fresh process; VmHWM, since ru_maxrss would begin with what the parent had.
PEAK = """
import sys
from pathlib import Path
from recontact_tools.identifiers import read_identifiers
read_identifiers(Path(sys.argv[1]).read_bytes())
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def clean_file(dice: random.Random) -> bytes:
    return b"".join(b"%s\n" % str(uuid.UUID(int=dice.getrandbits(128))).encode() for _ in range(LINES))


def messy_file(dice: random.Random) -> bytes:
    """A header, CRLF, upper case, and 4 odd lines in a hundred: doubles, blanks, quotes, other words."""
    lines = clean_file(dice).split()
    for index in range(0, LINES, 25):
        odd = (b"", lines[index // 2].upper(), b'"%s"' % lines[index], b" %s " % lines[index], b"n/a")
        lines[index] = odd[index // 25 % len(odd)]
    return b"RSID\r\n" + b"\r\n".join(line.upper() for line in lines)


def naive(data: bytes) -> int:
    seen: set[uuid.UUID] = set()
    for line in data.decode().splitlines():
        try:
            seen.add(uuid.UUID(line.strip().strip('"')))
        except ValueError:
            continue
    return len(seen)


def seconds(work: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    work(data)
    return time.perf_counter() - start


def compare(data: bytes) -> dict[str, float]:
    ours: list[float] = []
    theirs: list[float] = []
    assert read_identifiers(data).ids == naive(data)
    for _ in range(BLOCKS):  # in blocks: each way meets the memory as it left it itself
        ours += [seconds(read_identifiers, data) for _ in range(ROUNDS)]
        theirs += [seconds(naive, data) for _ in range(ROUNDS)]
    return {
        "ms": round(median(ours) * 1000, 1),
        "naive_ms": round(median(theirs) * 1000, 1),
        "ratio": round(median(theirs) / median(ours), 1),
        "peak_mb": peak_mb(data),
    }


def peak_mb(data: bytes) -> float:
    if not Path("/proc/self/status").exists():
        return float("nan")
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        answer = subprocess.run([sys.executable, "-c", PEAK, file.name], capture_output=True, check=True, text=True)
    return round(int(answer.stdout) / 1024, 1)


def measure() -> dict[str, dict[str, float]]:
    """Return, for a clean and a messy file: ms, naive_ms, ratio (goals 7 and 3), peak_mb (goal 60)."""
    dice = random.Random(1)  # noqa: S311 - test data
    return {"clean": compare(clean_file(dice)), "messy": compare(messy_file(dice))}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
