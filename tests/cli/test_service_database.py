"""`recontact-mcp service` on PostgreSQL: which database is meant, and that its URL is shown nowhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from subprocess import Popen
from urllib.parse import unquote, urlsplit

import pytest
from service_databases import connected
from typer.testing import Result

from recontact_service.settings import Postgres
from recontact_service.stores import open_store

Run = Callable[..., Result]
Start = Callable[..., AbstractContextManager[Popen[str]]]
GROUP, PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP9", "01BTGNYV6HRNK8K8VKZASZCFP0"


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """Take the password out of a URL; return what is left, and the variable that says it instead."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return parts._replace(netloc=f"{name}@{host}").geturl(), {"PGPASSWORD": unquote(password)}


def is_there(url: str) -> bool:
    with closing(open_store(Postgres(url=url))) as store:
        return store.find_group(GROUP, account_id=101, project_id=PROJECT) is not None


def test_the_database_of_the_settings_is_seeded_and_served(
    run: Run, start: Start, database_url: str, environment: dict[str, str]
) -> None:
    seeded = run("service", "seed", GROUP, RECONTACT_DATABASE_URL=database_url)
    with start("service", "--port", "0", RECONTACT_DATABASE_URL=database_url) as process:
        assert process.stdout is not None
        shown = process.stdout.readline()

    assert (seeded.exit_code, "is running" in shown) == (0, True)
    assert is_there(database_url)
    assert not (Path(environment["RECONTACT_DATA_DIR"]) / "service.sqlite").exists()


def test_a_url_without_a_password_may_stand_on_the_command_line(run: Run, database_url: str) -> None:
    url, variables = without_password(database_url)
    seeded = run("service", "seed", GROUP, "--database-url", url, **variables)

    assert seeded.exit_code == 0
    assert is_there(database_url)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--database-url", "postgresql://clerk:canary@localhost/api"], id="a password in the URL"),
        pytest.param(["--database-url", "host=localhost password=canary"], id="a password in other words"),
        pytest.param(["--database-url", "postgresql:///canary", "--database", "api.sqlite"], id="two databases"),
    ],
)
@pytest.mark.parametrize("command", [["service", "--port", "0"], ["service", "seed", GROUP]], ids=["run", "seed"])
def test_what_must_not_be_on_the_command_line_is_refused_and_not_repeated(
    run: Run, command: list[str], options: list[str]
) -> None:
    result = run(*command, *options)

    assert result.exit_code == 2
    assert "--database-url" in result.stderr
    assert "canary" not in result.output


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        pytest.param("postgresql://clerk:canary@127.0.0.1:1/canary", 1, "The database cannot be used.", id="away"),
        pytest.param("mysql://clerk:canary@[x", 2, "RECONTACT_DATABASE_URL", id="no URL of PostgreSQL"),
    ],
)
def test_a_server_that_cannot_be_used_is_said_so_without_its_url(
    run: Run, start: Start, url: str, code: int, words: str
) -> None:
    seeded = run("service", "seed", GROUP, RECONTACT_DATABASE_URL=url)
    with start("service", "--port", "0", RECONTACT_DATABASE_URL=url) as process:
        out, err = process.communicate(timeout=60)

    assert (seeded.exit_code, process.returncode) == (code, code)
    for said in (seeded.output, out + err):
        assert words in said
        assert not [word for word in ("canary", "clerk", "Traceback") if word in said]


def test_a_database_of_a_newer_version_is_said_so(run: Run, database_url: str) -> None:
    database = Postgres(url=database_url)
    open_store(database).close()
    with closing(connected(database)) as connection:
        connection.execute("INSERT INTO migrations (version) VALUES (1000)")
    seeded = run("service", "seed", GROUP, RECONTACT_DATABASE_URL=database_url)

    assert seeded.exit_code == 1
    assert "newer version" in seeded.stderr
