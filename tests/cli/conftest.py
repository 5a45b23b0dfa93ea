"""The command line in this process and as the real program, always in a directory of its own."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recontact_mcp.cli.commands import app

Run = Callable[..., Result]
Start = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]
NAMES = ("httpx", "httpx2", "httpcore", "httpcore2", "dbos", "sqlalchemy", "uvicorn", "uvicorn.access", "mcp")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Generator[None]:
    """Give logging back as it was: commands configure the whole process."""
    root, engine = logging.getLogger(), logging.getLogger("dbos")
    before = (tuple(root.handlers), root.level, tuple(engine.handlers), engine.propagate)
    levels = {name: logging.getLogger(name).level for name in NAMES}
    yield
    root.handlers[:], engine.handlers[:], engine.propagate = before[0], before[2], before[3]
    root.setLevel(before[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Name a data directory of this test: no command may ever touch the user's own."""
    return {"RECONTACT_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}


@pytest.fixture
def run(environment: Mapping[str, str]) -> Run:
    """Run a command in this process; keyword arguments are environment variables."""

    def command(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={**environment, **variables}, catch_exceptions=False)

    return command


@pytest.fixture
def start(environment: Mapping[str, str]) -> Start:
    """Start the real program, and interrupt it at the end as a person would."""

    @contextmanager
    def program(*arguments: str, **variables: str) -> Generator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-m", "recontact_mcp", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, **variables},
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)

    return program
