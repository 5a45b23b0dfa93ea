"""`recontact-mcp approve`: a person at a terminal, and nobody else, decides about what an assistant asked for."""

import json
import os
import pty
import subprocess
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from recontact_mcp.cli.records import place_of
from recontact_mcp.settings import Settings
from recontact_tools.ledger import Approval, Ledger, Plan, PlanState
from recontact_tools.models import TargetGroup

if TYPE_CHECKING:
    from tests.cli.conftest import Run

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
OTHER = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP2")
CODE, SHOWN = "ABCD2345", "ABCD-2345"
PHRASE = f"REMOVE 500 FROM {GROUP.target_group_id}"

OnLedger = Callable[[Callable[[Ledger], Awaitable[None]]], None]
Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def asked(on_ledger: OnLedger, environment: Mapping[str, str]) -> Callable[..., None]:
    """Let an assistant ask for the removal of 500 IDs."""

    def ask(principal: str = "local", code: str = CODE, group: TargetGroup = GROUP) -> None:
        os.makedirs(environment["RECONTACT_DATA_DIR"], exist_ok=True)  # noqa: PTH103 - one line
        now = datetime.now(UTC)
        plan = Plan(f"PLAN-{code}", principal, group, 500, now, now + timedelta(minutes=30), PlanState.OPEN)

        async def write(ledger: Ledger) -> None:
            await ledger.approvals.ask(plan, code)

        on_ledger(write)

    return ask


@pytest.fixture
def found(on_ledger: OnLedger) -> Callable[[], Approval]:
    """Return how the plan stands."""

    def read() -> Approval:
        seen: list[Approval] = []

        async def look(ledger: Ledger) -> None:
            approval = await ledger.approvals.by_code(CODE)
            assert approval is not None
            seen.append(approval)

        on_ledger(look)
        return seen[0]

    return read


@pytest.fixture
def terminal(environment: Mapping[str, str]) -> Terminal:
    """Run the real program on a terminal, type what is given, and return its exit code and what it showed."""

    def run(*arguments: str, types: str = "") -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "recontact_mcp", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **environment, "TERM": "dumb", "COLUMNS": "200"},
        ) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # source: Linux, reading a terminal that nobody has open any more
                while part := os.read(ours, 4_096):
                    shown += part
                    if shown.endswith(b"leave it: "):
                        os.write(ours, f"{types}\n".encode())
            code = process.wait()
        os.close(ours)
        return code, shown.decode().replace("\r\n", "\n")

    return run


def test_a_person_reads_what_would_happen_types_the_phrase_and_approves(
    asked: Callable[..., None], found: Callable[[], Approval], terminal: Terminal
) -> None:
    asked()
    code, shown = terminal("approve", SHOWN.lower(), types=PHRASE)
    for told in ("Remove ALL 500", GROUP.target_group_id, GROUP.project_id, "30 days", PHRASE, "Approved."):
        assert told in shown
    approval = found()
    assert (code, approval.decision, approval.approver) == (0, "approved", "local")
    assert approval.receipt is not None
    assert '"method":"terminal"' in approval.receipt
    code, shown = terminal("approve", SHOWN)
    assert (code, "There is nothing to decide: Approved." in shown) == (1, True)


@pytest.mark.parametrize(
    ("types", "decision", "code", "said"),
    [
        ("deny", "denied", 0, "Denied; nothing was removed."),
        ("", "awaited", 1, "Nothing was decided."),
        ("yes", "awaited", 1, "CONFIRMATION_MISMATCH"),
    ],
)
def test_anything_else_approves_nothing(
    asked: Callable[..., None],
    found: Callable[[], Approval],
    terminal: Terminal,
    types: str,
    decision: str,
    code: int,
    said: str,
) -> None:
    asked()
    exit_code, shown = terminal("approve", SHOWN, types=types)
    assert (exit_code, found().decision) == (code, decision)
    assert said in shown


def test_without_a_terminal_nothing_is_decided(
    asked: Callable[..., None], found: Callable[[], Approval], run: "Run"
) -> None:
    asked()
    result = run("approve", SHOWN)
    assert (result.exit_code, found().decision) == (2, "awaited")
    assert "no terminal" in result.stderr


def test_what_waits_is_listed(asked: Callable[..., None], run: "Run") -> None:
    assert run("approve").exit_code == 1  # before anything was ever started
    asked()
    shown = run("approve").stdout
    assert (SHOWN in shown, "approval page" in shown) == (True, False)


def test_what_waits_on_the_approval_page_is_counted_and_not_shown(
    asked: Callable[..., None], run: "Run", on_ledger: OnLedger
) -> None:
    async def nothing(ledger: Ledger) -> None:
        await ledger.approvals.awaited("local", now=datetime.now(UTC))

    on_ledger(nothing)
    assert "Nothing waits for a decision" in run("approve").stdout
    asked("https://issuer#ann", "EFGH2345")
    one = run("approve").stdout
    assert "Nothing of this machine waits for a decision in" in one
    assert "1 waits on the approval page, for people who sign in over HTTP." in one
    asked("https://issuer#bob", "EFGH2346", OTHER)
    asked()
    shown = run("approve").stdout
    assert "2 wait on the approval page" in shown
    assert [word in shown for word in (SHOWN, "EFGH", "issuer", "PLAN-")] == [True, False, False, False]


def test_a_code_of_another_place_says_where_was_looked_and_what_to_do(
    asked: Callable[..., None], terminal: Terminal, run: "Run", environment: Mapping[str, str]
) -> None:
    here = environment["RECONTACT_DATA_DIR"]
    before = run("approve").stderr
    asked()
    code, shown = terminal("approve", "EFGH-2345")
    with_another = run("approve", RECONTACT_DATA_DIR=f"{here}-2").stderr
    for said in (before, shown, with_another):
        assert f"the data directory {here}" in said
        assert "give this terminal the RECONTACT_DATA_DIR, or RECONTACT_DATABASE_URL" in said
    assert (code, "NOT_FOUND" in shown, f"{here}-2" in with_another) == (1, True, True)


def test_the_address_of_a_database_is_not_shown_with_its_password(tmp_path: Path) -> None:
    url = SecretStr("postgresql://me:canary@db.example/recontacts")
    told = place_of(Settings(data_dir=tmp_path, database_url=url))
    assert told == "the database of RECONTACT_DATABASE_URL (namespace recontact)"


def test_whoever_asked_over_http_decides_elsewhere(asked: Callable[..., None], terminal: Terminal) -> None:
    asked("https://issuer#ann")
    code, shown = terminal("approve", SHOWN, types=PHRASE)
    assert (code, "NOT_FOUND" in shown, "500" in shown) == (1, True, False)


def test_a_code_to_register_a_passkey_is_made_once_there_is_a_ledger(asked: Callable[..., None], run: "Run") -> None:
    assert "Nothing was asked for yet in" in run("approve", "--enrol", "https://issuer#ann").stderr
    asked()
    codes = {run("approve", "--enrol", "https://issuer#ann").stdout for _ in range(2)}
    assert {len(code.strip()) for code in codes} == {22}
    assert len(codes) == 2


def test_with_the_code_stands_where_by_whom_and_until_when_it_is_used(asked: Callable[..., None], run: "Run") -> None:
    asked()
    somewhere = run("approve", "--enrol", "https://issuer#ann").stderr
    public = {"RECONTACT_PUBLIC_URL": "https://recontact.example"}
    named = run("approve", "--enrol", "https://issuer#ann", **public).stderr
    assert "/approve/passkey at the server's address" in somewhere
    assert "https://recontact.example/approve/passkey" in named
    for told in ("once, within an hour", "signs in as https://issuer#ann"):
        assert told in somewhere


def test_the_receipt_of_an_approval_can_be_checked_anywhere(
    asked: Callable[..., None], terminal: Terminal, run: "Run", tmp_path: Path
) -> None:
    assert run("receipt", "show", f"PLAN-{CODE}").exit_code == 1  # before anything was ever started
    asked()
    assert run("receipt", "show", f"PLAN-{CODE}").exit_code == 1  # nobody approved it
    terminal("approve", SHOWN, types=PHRASE)
    file, changed = tmp_path / "receipt.json", tmp_path / "changed.json"
    file.write_text(run("receipt", "show", f"PLAN-{CODE}").stdout)
    changed.write_text(file.read_text().replace("500", "5000"))
    key = run("receipt", "key").stdout
    elsewhere = {"RECONTACT_DATA_DIR": str(tmp_path / "elsewhere")}
    checked = run("receipt", "check", str(file), "--key", key, **elsewhere)
    said = json.loads(checked.stdout)
    assert (checked.exit_code, said["count"], said["approved_by"], said["method"]) == (0, 500, "local", "terminal")
    [entry] = [
        one
        for line in run("audit", "--json").stdout.splitlines()
        if (one := json.loads(line))["event"] == "approval_given"
    ]
    assert entry["detail"]["receipt"] == said["digest"]
    assert run("receipt", "check", str(changed), "--key", key).exit_code == 1
    another = run("receipt", "key", RECONTACT_SNAPSHOT_KEY=b64encode(bytes(32)).decode()).stdout
    assert run("receipt", "check", str(file), "--key", another).exit_code == 1


def test_a_key_that_cannot_be_trusted_signs_nothing(
    asked: Callable[..., None],
    found: Callable[[], Approval],
    terminal: Terminal,
    run: "Run",
    environment: Mapping[str, str],
) -> None:
    asked()
    (Path(environment["RECONTACT_DATA_DIR"]) / "snapshots.key").write_bytes(bytes(31))
    code, shown = terminal("approve", SHOWN, types=PHRASE)
    assert (code, "nothing was approved" in shown, found().decision) == (1, True, "awaited")
    assert run("receipt", "key").exit_code == 1
