"""Run the official conformance suite against the product's own HTTP endpoint, in both eras that it speaks.

Usage: python tests/conformance/run.py [COMMAND]     COMMAND: the recontact-mcp to try, else the one beside this Python

Needs npm, and the registry of its packages; the suite wants Node 22, which npm brings along. Everything is done in a
temporary folder. Here lies the file of what we fail of each set of requirements, and why, and one of what the suite
tries besides, which no set requires. Exits with 0 where the suite is content in both eras, every scenario that fails
has its reason in a file, and no line is there that is not needed any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).resolve().parent
REQUIREMENTS = ("2026-07-28", "2025-11-25")
# Pinned exactly: each release of the suite asks for something else. Node by its release line, as the suite does.
PACKAGES = ("node@22", "@modelcontextprotocol/conformance@0.2.0-alpha.12")
OUTSIDE = HERE / "outside-requirements.yml"
LINE = re.compile(r"^  - (?P<scenario>[\w-]+)(?::[\w-]+)? # (?P<reason>.+)$", re.MULTILINE)
FAILED = re.compile(r"✗\S* (?P<scenario>[\w-]+): \d+ passed, [1-9]\d* failed$", re.MULTILINE)
ENDPOINT = re.compile(r"http://\S+/mcp")
# ours: either set takes some five seconds
SECONDS = 300
START_SECONDS = 60


def expected(requirements: str) -> Path:
    """Return the file of what we fail of a set of requirements."""
    return HERE / f"expected-failures-{requirements}.yml"


def installed(folder: Path) -> list[str]:
    """Install the suite into a folder; return the words that start it.

    Raises:
        SystemExit: There is no npm, or it could not install.
    """
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("tests/conformance/run.py: npm is needed: install Node.js")
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", *PACKAGES]
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit("tests/conformance/run.py: npm could not install the suite (see above)")
    scripts = folder / "node_modules" / ".bin"
    return [str(scripts / "node"), str(scripts / "conformance")]


@contextmanager
def serving(command: str, folder: Path) -> Generator[str]:
    """Serve over HTTP with nobody's settings until the block is left; yield the URL of the endpoint."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
    environment = {**usual, "RECONTACT_DATA_DIR": str(folder / "data"), "COLUMNS": "200"}
    words = [command, "serve", "--transport", "http", "--port", "0"]
    # It says where it is before anything else; what it logs afterwards is for whoever looks into the file.
    log = folder / "serve.log"
    with (
        log.open("wb") as written,
        subprocess.Popen(words, env=environment, stdout=written, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield _endpoint(process, log)
        finally:
            process.terminate()


def _endpoint(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(START_SECONDS * 10):
        if found := ENDPOINT.search(log.read_text("utf-8", "replace")):
            return found[0]
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    sys.exit(f"tests/conformance/run.py: the server does not serve: {log.read_text('utf-8', 'replace')}")


def reasons(file: Path) -> dict[str, str]:
    """Return why each scenario that a file names fails."""
    return {line["scenario"]: line["reason"] for line in LINE.finditer(file.read_text("utf-8"))}


def failing(summary: str) -> set[str]:
    """Return the scenarios of which something failed."""
    return {line["scenario"] for line in FAILED.finditer(summary)}


def told_outside(failed: set[str], required: set[str], outside: dict[str, str]) -> tuple[str, set[str]]:
    """Say what the total counts that is not required, and why; return that, and what failed without a reason."""
    known = sorted(failed & outside.keys() - required)
    lines = [f"  ~ {scenario}: {outside[scenario]}\n" for scenario in known]
    nameless = failed - required - outside.keys()
    lines += [f"  ! {scenario}: fails, and stands in no file of reasons\n" for scenario in sorted(nameless)]
    return "".join(["Counted in the total, and required of nobody:\n", *lines] if lines else []), nameless


def run(suite: list[str], url: str, requirements: str, folder: Path) -> tuple[bool, set[str]]:
    """Run one set of requirements; say whether all is well, and what failed."""
    words = ["server", "--url", url, "--requirements", requirements, "-o", str(folder / requirements)]
    command = [*suite, *words, "--expected-failures", str(expected(requirements))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)
    summary = done.stdout.partition("=== SUMMARY ===")[2] or done.stdout
    failed = failing(summary)
    told, nameless = told_outside(failed, set(reasons(expected(requirements))), reasons(OUTSIDE))
    sys.stdout.write(f"=== {requirements}, against {url}\n{summary.strip()}\n{told}{done.stderr}")
    return done.returncode == 0 and not nameless, failed


def main(words: list[str]) -> int:
    """Install, serve, and run both sets; answer an exit code."""
    command = words[0] if words else str(Path(sysconfig.get_path("scripts")) / "recontact-mcp")
    with tempfile.TemporaryDirectory(prefix="conformance", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        suite = installed(folder)
        with serving(command, folder) as url:
            runs = [run(suite, url, requirements, folder) for requirements in REQUIREMENTS]
    too_many = sorted(reasons(OUTSIDE).keys() - set[str]().union(*(failed for _, failed in runs)))
    for scenario in too_many:
        sys.stdout.write(f"{OUTSIDE.name}: {scenario} does not fail any more\n")
    return 0 if all(content for content, _ in runs) and not too_many else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
