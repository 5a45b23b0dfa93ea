"""`recontact-mcp demo --story undo`: removed by mistake, restored although the server is killed; both eras, stdio."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import Result

from recontact_mcp.cli.demo_client import Surprise
from recontact_mcp.cli.demo_steps import followed

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
# Eight steps of the service, four seconds: time for a slow machine to kill the server in the middle.
SLOW = ("--ids", "8000", "--upload-seconds", "4")
# The one before 2026-07-28 is whichever the SDK negotiates.
PROTOCOL = {"modern": "2026-07-28", "legacy": "2025-"}


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_what_was_removed_by_mistake_is_restored_although_the_server_is_killed(
    run: Callable[..., Result], era: str
) -> None:
    result = run("demo", "--story", "undo", "--era", era, *SLOW)
    said = " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    for words in (
        f"protocol {PROTOCOL[era]}",
        f"REMOVE 8000 FROM {GROUP}",
        "0 stored: nobody can enter the survey any more",
        "8,000 IDs, complete",
        "none of these IDs can be read in the ledger's files",
        "kill -9",
        "Restored and proved: exactly the 8000 RSIDs of the list are stored.",
        "differences none",
        "2: the upload and the restore, neither sent twice",
        "all 8,000 stored IDs were read again: they are those of the file",
    ):
        assert words in said, words
    assert max(map(len, result.output.splitlines())) <= 100


def test_the_person_at_the_terminal_removes_by_mistake_themselves(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "demo", "--story", "undo", *SLOW],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "TMPDIR": str(tmp_path), "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        shown = read_answering(keyboard, f"REMOVE 8000 FROM {GROUP}")
        process.wait(timeout=90)
    os.close(keyboard)
    assert process.returncode == 0, shown
    assert "differences: none" in shown
    assert not list(tmp_path.glob("recontact-demo-*"))


def read_answering(keyboard: int, answer: str) -> str:
    """Read the terminal to its end, and answer the one question."""
    shown, answered = b"", False
    while True:
        try:
            shown += os.read(keyboard, 65_536)
        except OSError:  # how a terminal ends on Linux
            return shown.decode()
        if not answered and b"your answer:" in shown:
            answered = True
            os.write(keyboard, f"{answer}\n".encode())


@pytest.mark.anyio
async def test_a_job_that_does_not_end_well_is_a_surprise() -> None:
    class Failing:
        async def call(self, tool: str, **_arguments: object) -> dict[str, Any]:
            return {"get_recontact_overview": {"saved_respondent_ids_count": 0}}.get(tool, {"status": "Failed"})

    session: Any = Failing()
    with anyio.fail_after(5), pytest.raises(Surprise, match="ended as Failed"):
        await followed(session, "get_upload_job", {"job_id": "J", "status": "Processing"}, lambda _count: None)
