#!/usr/bin/env python3
"""Set up .venv when it is needed, then run recontact-mcp or one of the project's own tasks.

python3 run.py demo     show the main job from beginning to end, on an embedded service
python3 run.py test     run the tests (further words go to pytest)
python3 run.py serve    serve MCP over stdio: what mcp.json starts
python3 run.py check    run all that CI runs: lint, format, types, contracts, docs, tests with coverage
python3 run.py bench | docs | format | snapshots    measure; write the README's tables; tidy; accept snapshots
python3 run.py WORD     hand anything else to recontact-mcp: doctor, check FILE, service ...

Needs Python 3.11 or newer and nothing else. Installs only when pyproject.toml changed. stdout is left alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = str(BIN / "python")
STAMP = VENV / "recontact-stamp"

CURE = "install it (Debian, Ubuntu: apt install python3-venv) and run the same command again"

SOURCES = ("server", "tools", "tests", "bench", "deploy", "docs", "first_pip.py", "run.py")
# The one list of checks: `make check` and .ci/run come here.
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", *SOURCES),
    ("pyright",),
    ("lint-imports",),
    ("docs/generate.py", "--check"),
    ("coverage", "erase"),
    # What runs on each database runs on one: `test` runs it on both, and no line is reached by that alone.
    ("coverage", "run", "-m", "pytest", "-n", "2", "--dist", "worksteal", "--databases", "sqlite"),
    ("coverage", "combine", "--quiet"),
    ("coverage", "report"),
)
# Each task: the dependency groups it needs and its steps; the last one takes the caller's further words.
TASKS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "test": (("test",), (("pytest", "-n", "2", "--dist", "worksteal"),)),
    "check": (("test", "check"), CHECKS),
    "bench": (("test",), (("bench.run",),)),
    "docs": (("test",), (("docs/generate.py",),)),
    "format": (("test", "check"), (("ruff", "check", "--fix", "--exit-zero", "."), ("ruff", "format", "."))),
    "snapshots": (("test",), (("pytest", "-q", "tests/surface"),)),
}


class SetupError(Exception):
    """Say in words a newcomer understands what stopped the setup and how to mend it."""


def say(words: str) -> None:
    """Tell the person what happens, on stderr: stdout belongs to the program that runs."""
    sys.stderr.write(f"run.py: {words}\n")


def check_system(version: tuple[int, ...], platform: str) -> None:
    """Raise SetupError for an interpreter that is too old or a system that cannot work."""
    if version < (3, 11):
        raise SetupError("Python 3.11 or newer is needed, this is older: try python3.11 run.py ...")
    if platform == "win32":
        raise SetupError("Windows is supported through WSL only: run the same command inside WSL")


def requirements(table: Mapping[str, list[str | dict[str, str]]], groups: Sequence[str]) -> list[str]:
    """Read what the dependency groups ask for: pip knows --group only from 25.1 on."""
    wanted: list[str] = []
    for entry in (entry for group in groups for entry in table[group]):
        wanted += [entry] if isinstance(entry, str) else requirements(table, [entry["include-group"]])
    return wanted


def fingerprint() -> str:
    """Hash all that decides what belongs in .venv: the project file, the interpreter and the place."""
    parts = [str(ROOT).encode(), (ROOT / "pyproject.toml").read_bytes()]
    return hashlib.sha256(b"\0".join([*parts, (VENV / "pyvenv.cfg").read_bytes()])).hexdigest()


def installed() -> set[str]:
    """Name the groups already in .venv ("project" among them); none if it is absent or out of date."""
    try:
        found, *groups = STAMP.read_text("utf-8").split()
        return set(groups) if found == fingerprint() and Path(PYTHON).is_file() else set()
    except (OSError, ValueError):
        return set()


def quiet(*words: str) -> int:
    """Run a command with its output on stderr and nothing on stdin; answer its exit code."""
    # PIP_USER in a person's own configuration would make pip refuse to install into an environment.
    env = {**os.environ, "PIP_USER": "0"}
    run = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=env, check=False)  # noqa: S603 - our own commands, no shell
    return run.returncode


def create_venv() -> list[str]:
    """Make .venv if it does not work, and answer the pip command that installs into it.

    Raises:
        SetupError: This Python cannot make an environment, or no pip could be found to fill it.
    """
    if not find_spec("venv"):
        raise SetupError(f"this Python has no venv: {CURE}")
    if not Path(PYTHON).is_file() or not (VENV / "pyvenv.cfg").is_file():
        say("creating .venv")
        options = ["--clear"] if find_spec("ensurepip") else ["--clear", "--without-pip"]
        if quiet(sys.executable, "-m", "venv", *options, str(VENV)):
            raise SetupError(f"could not create .venv here: is this folder writable? If it is, {CURE}")
    own_pip = [PYTHON, "-m", "pip"]
    if not quiet(PYTHON, "-c", "import sys, importlib.util as u; sys.exit(not u.find_spec('pip'))"):
        return own_pip
    if find_spec("ensurepip") and not quiet(PYTHON, "-m", "ensurepip"):
        return own_pip
    if find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", PYTHON]
    download_pip()
    return own_pip


def download_pip() -> None:
    """Install pip into .venv from the package index: on Debian and Ubuntu, Python comes without any.

    Raises:
        SetupError: There is no network, or the index has no pip that can be used.
    """
    from first_pip import NoPipError, fetch_pip  # noqa: PLC0415 - most machines never need it

    say("this Python came without pip: fetching it from the package index")
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = fetch_pip(Path(folder), sys.version_info[:3])
        except NoPipError as problem:
            raise SetupError(f"no pip: {problem}. No network, or a proxy? Mend that and run the same again") from None
        # A wheel can be run as it is, and so pip installs itself.
        if quiet(PYTHON, f"{wheel}/pip", "install", "-qq", "--no-index", "--no-deps", str(wheel)):
            raise SetupError(f"the pip from the package index could not install itself (see above): {CURE}")


def install(groups: Sequence[str]) -> None:
    """Bring .venv up to date with the project and these dependency groups.

    Raises:
        SetupError: There is no usable environment, or pip failed.
    """
    import tomllib  # noqa: PLC0415 - new in 3.11: an older Python must get as far as its refusal

    pip = create_venv()
    STAMP.unlink(missing_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = requirements(project["dependency-groups"], groups)
    say(f"installing into .venv: {', '.join(('recontact-mcp', *groups))} (a minute or two the first time)")
    options = ("-qq", "--no-input", "--disable-pip-version-check", "--editable", str(ROOT))
    if quiet(*pip, "install", *options, *wanted):
        raise SetupError("pip failed (see above). No network, or a proxy? Mend that and run the same again")
    STAMP.write_text("\n".join((fingerprint(), "project", *groups)), "utf-8")
    say("setup is done")


def prepare(groups: Sequence[str]) -> None:
    """Install what is missing, once: some hosts start a server twice at the same moment."""
    wanted = {"project", *groups}
    if wanted <= installed():
        return
    import fcntl  # noqa: PLC0415 - absent on Windows, whose refusal must come first

    with Path(__file__).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is setting up .venv; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        present = installed()
        if not wanted <= present:
            install(sorted((wanted | present) - {"project"}))


def command(step: Sequence[str]) -> list[str]:
    """Spell a step for the environment's Python: our script, an installed script or a module."""
    name, *rest = step
    # Run by the interpreter, an installed script works even where its first line is too long or stale.
    place = str(BIN / name) if "-" in name else name
    return [PYTHON, place, *rest] if "/" in place else [PYTHON, "-m", place, *rest]


def main(words: Sequence[str]) -> int:
    """Set up, then become the program that was asked for; answer an exit code where that cannot be."""
    if not words or words[0] in {"-h", "--help"}:
        sys.stderr.write(f"{__doc__}\n")
        return 0 if words else 2
    check_system(sys.version_info[:3], sys.platform)
    groups, steps = TASKS.get(words[0], ((), (("recontact-mcp", words[0]),)))
    prepare(groups)
    if words[0] in TASKS:
        os.chdir(ROOT)
    os.environ.update({"UPDATE_SNAPSHOTS": "1"} if words[0] == "snapshots" else {})
    for step in steps[:-1]:
        say(" ".join(step))
        if code := subprocess.run(command(step), check=False).returncode:  # noqa: S603 - our own list
            say(f"stopped: {' '.join(step)} failed")
            return code
    return os.execv(PYTHON, command((*steps[-1], *words[1:])))  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as problem:
        sys.exit(f"run.py: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
