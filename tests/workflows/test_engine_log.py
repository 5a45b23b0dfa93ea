"""What the engine logs: all that it has to say, but not what is as it is meant to be."""

import logging
from pathlib import Path

import pytest

from recontact_tools import launching

ENGINE = "dbos"


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        pytest.param("Workflow already exists in queue: a, but the provided queue name is: b.", False, id="queued"),
        pytest.param("Workflow already exists with a different function name: a", True, id="another function"),
        pytest.param("Queue a is paused", True, id="another warning"),
    ],
)
def test_only_that_a_workflow_found_again_is_queued_already_is_kept_quiet(
    message: str, *, heard: bool, tmp_path: Path
) -> None:
    launching.rehearse(tmp_path / "engine.sqlite")
    record = logging.LogRecord(ENGINE, logging.WARNING, __file__, 1, message, (), None)

    assert bool(logging.getLogger(ENGINE).filter(record)) is heard
