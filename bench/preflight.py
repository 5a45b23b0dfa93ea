"""Time the preflight of 100,000 lines beside a loop over `uuid.UUID`, and weigh its memory."""

import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from recontact_tools.identifiers import read_identifiers

LINES = 100_000
WIDE = "rows of ten quoted columns, 13.8 MB"
BLOCKS = 3
ROUNDS = 5
COUNTRIES = (b"DE", b"FR", b"GB", b"US", b"BR")
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


def quoted_file(lines: Sequence[bytes], end: bytes = b"\n") -> bytes:
    """Every line quoted."""
    return b"".join(b'"%s"%s' % (line, end) for line in lines)


def partly_quoted_file(lines: Sequence[bytes]) -> bytes:
    """One line in ten quoted."""
    return b"".join(b"%s\n" % line if index % 10 else b'"%s"\n' % line for index, line in enumerate(lines))


def table_file(lines: Sequence[bytes], *, header: bytes = b"") -> bytes:
    """Three columns as the demo's file has them: mixed case, CRLF, a country and a date."""
    shown = (line if index % 3 else line.upper() for index, line in enumerate(lines))
    rows = (b"%s,%s,2026-09-%02d\r\n" % (id_, COUNTRIES[at % 5], at % 30 + 1) for at, id_ in enumerate(shown))
    return header + b"".join(rows)


def wide_file(lines: Sequence[bytes]) -> bytes:
    """Ten columns, every cell quoted, as survey tools export them: 13.8 MB."""
    names = b",".join(b'"q%d"' % number for number in range(1, 10))
    rows = (b'"%s"%s\n' % (line, b"".join(b',"a%07d"' % (at + n) for n in range(9))) for at, line in enumerate(lines))
    return b'"RSID",' + names + b"\n" + b"".join(rows)


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


def compare(data: bytes, plain: bytes | None = None) -> dict[str, float]:
    """Time our reading of a file beside the loop over it, or over the same ids as a *plain* list."""
    lines = data if plain is None else plain
    ours: list[float] = []
    theirs: list[float] = []
    assert read_identifiers(data).ids == naive(lines)
    for _ in range(BLOCKS):  # in blocks: each way meets the memory as it left it itself
        ours += [seconds(read_identifiers, data) for _ in range(ROUNDS)]
        theirs += [seconds(naive, lines) for _ in range(ROUNDS)]
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


def files() -> dict[str, tuple[bytes, bytes | None]]:
    """Make each file, and the plain list of its ids where the loop could not read the file itself."""
    dice = random.Random(1)  # noqa: S311 - test data
    plain = clean_file(dice)
    lines = plain.split()
    return {
        "clean lines": (plain, None),
        "messy lines": (messy_file(dice), None),
        "quoted lines": (quoted_file(lines), None),
        "quoted lines, upper case, CRLF": (quoted_file(plain.upper().split(), b"\r\n"), None),
        "lines, one in ten quoted": (partly_quoted_file(lines), None),
        "rows of three columns with a header": (
            table_file(lines, header=b"Respondent ID,Country,Completed\r\n"),
            plain,
        ),
        "rows of three columns without a header": (table_file(lines), plain),
        WIDE: (wide_file(lines), plain),
    }


def measure() -> dict[str, dict[str, float]]:
    """Return for each file: ms, naive_ms, ratio, peak_mb."""
    return {name: compare(data, plain) for name, (data, plain) in files().items()}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
