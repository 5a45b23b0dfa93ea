"""A canary ID, the secret, the token and the file's path, searched for in everything that a whole run leaves behind."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.crash.conftest import Api, Host, Hosting, Json, Place, Serving

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only(reason="every byte of the files is searched")]

CANARY = UUID("c0ffee00-dead-4bee-8f00-5ca1ab1e0001")
SECRET = "a-secret-that-nobody-may-see"
FILE = "the-panel-of-people-nobody-may-know.csv"
NEEDLES = {
    "the ID": str(CANARY).encode(),
    "the ID in upper case": str(CANARY).upper().encode(),
    "the ID without dashes": CANARY.hex.encode(),
    "the ID as 16 bytes": CANARY.bytes,
    "the client secret": SECRET.encode(),
    "an access token": b"eyJ",  # how every signed token begins
    "the file's name": FILE.encode(),
    "a malformed line": b"nobody@example.test",
}


def found_in(content: bytes) -> list[str]:
    """Name what must not be there and is."""
    return [name for name, needle in NEEDLES.items() if needle in content]


def leaks(folder: Path) -> list[tuple[str, str]]:
    """Search every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"ledger.sqlite", "engine.sqlite"} <= {path.name for path in files}
    return [(path.name, found) for path in files for found in found_in(path.read_bytes())]


async def work(host: "Host", api: "Api", place: "Place") -> list["Json"]:
    """Do everything that a host can, and much that fails; return every error."""
    path = place.write_file((str(CANARY), *sorted(place.ids)[:50]), FILE)
    malformed = place.roots / f"malformed-{FILE}"
    malformed.write_text(f"{CANARY}x,nobody@example.test\n" * 3, "utf-8")
    (place.roots / f"link-{FILE}").symlink_to(malformed)
    errors = [
        await host.refusal("upload_recontacts", path=str(malformed)),
        await host.refusal("upload_recontacts", path=str(place.roots / f"link-{FILE}")),
        await host.refusal("upload_recontacts", path=f"/nowhere/{FILE}"),
        await host.refusal("upload_recontacts", path=path, ids=[str(CANARY)]),
        await host.refusal("upload_recontacts", ids=str(CANARY)),
        await host.refusal("upload_recontacts", ids=[f"{CANARY}x"]),
        await host.refusal("list_recontacts", cursor=str(CANARY), page_size=1_000),
        await host.refusal("list_recontacts", cursor=f"{CANARY}\n"),
    ]
    for fault in ("conflict", "rate_limited", "proxy_html", "error", "lost_answer"):
        await api.script(Operation.UPLOAD_RSIDS, fault)
        errors.append(await host.outcome("upload_recontacts", path=path, idempotency_key=fault))
        await place.settle(host)
    started = await host.call("upload_recontacts", path=path, idempotency_key="none")
    await place.settle(host)
    await host.call("get_upload_job", job_id=started["job_id"])
    assert str(CANARY) in (await host.call("list_recontacts", page_size=100))["respondent_ids"]
    for fault in ("conflict", "rate_limited", "proxy_html", "error"):
        await api.script(Operation.REMOVE_ALL, fault)
        errors.append(await host.outcome("remove_all_recontacts"))
        await place.settle(host)
    await host.call("remove_all_recontacts")
    await place.settle(host)
    return errors


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_id_secret_token_or_path_stays_behind_after_a_whole_run(
    log_format: str, serving: "Serving", hosting: "Hosting", place: "Place", tmp_path: Path
) -> None:
    spans = tmp_path / "spans"
    told = {
        "RECONTACT_LOG_LEVEL": "DEBUG",
        "RECONTACT_LOG_FORMAT": log_format,
        "CRASH_HASTE": "200",
        "CRASH_SPANS": str(spans),
    }
    async with serving(secret=SECRET) as api, hosting(**told, **api.environ) as host:
        errors = await work(host, api, place)
        assert leaks(place.data) == []
    assert leaks(place.data) == []
    # The API stores what it was sent, so the search does find the ID where it may be.
    database = tmp_path / "service.sqlite"
    assert "the ID as 16 bytes" in found_in(
        database.read_bytes() + database.with_name("service.sqlite-wal").read_bytes()
    )
    assert {error.get("code") for error in errors} >= {
        *("FILE_NOT_READABLE", "INVALID_ARGUMENTS", "INVALID_FILE", "JOB_RUNNING", "RATE_LIMITED", "OUTCOME_UNKNOWN"),
    }
    assert found_in(json.dumps(errors).encode()) == []
    assert found_in(host.log.read_bytes()) == []
    assert b"tools/call" in spans.read_bytes()
    assert found_in(spans.read_bytes()) == []
