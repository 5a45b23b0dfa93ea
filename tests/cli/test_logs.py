"""Nothing that names a respondent, and no token, ever reaches the log."""

import io
import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_mcp.logs import configure, redacted

ID = "5a3b2ada-0000-4000-8000-00000000c0de"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
FORMATS = pytest.mark.parametrize("log_format", ["text", "json"])


def written(log_format: str, *, level: str = "DEBUG") -> io.StringIO:
    stream = io.StringIO()
    configure(level, "json" if log_format == "json" else "text", stream=stream)
    return stream


@FORMATS
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(ID, id="respondent id"),
        pytest.param(ID.upper(), id="upper case"),
        pytest.param(ID.replace("-", ""), id="without hyphens"),
        pytest.param(f"x{{{ID}}}y", id="in braces"),
        pytest.param(f"Authorization: Bearer {TOKEN}", id="bearer token"),
        pytest.param(f"token {TOKEN}.", id="bare token"),
        pytest.param("{'client_secret': 'canary-secret'}", id="secret in a dict"),
        pytest.param('{"access_token":"canary-secret"}', id="token in JSON"),
        pytest.param("GET /rsids?page_size=5&start_after=canary-secret", id="cursor in a query"),
        pytest.param("[Errno 2] No such file or directory: '/home/canary-secret.csv'", id="path in an OS error"),
    ],
)
def test_what_must_not_be_written_is_not(log_format: str, message: str) -> None:
    stream = written(log_format)
    logging.getLogger("recontact_mcp.anything").warning("before %s after", message)
    text = stream.getvalue()
    assert "before" in text
    for canary in (ID, ID.upper(), ID.replace("-", ""), TOKEN, "canary-secret"):
        assert canary not in text


@FORMATS
def test_the_text_of_an_exception_is_redacted_with_everything_it_came_from(log_format: str) -> None:
    stream = written(log_format)
    error = ValueError(f"Bearer {TOKEN}")
    error.__cause__ = KeyError(ID)
    logging.getLogger("any").error("failed", exc_info=error, stack_info=True)
    assert "ValueError" in stream.getvalue()
    assert ID not in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_one_record_is_one_json_object_on_one_line() -> None:
    stream = written("json")
    logging.getLogger("any").error("first\nsecond", exc_info=ValueError("third"))
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "any", "first\nsecond")
    assert "third" in entry["error"]
    assert set(entry) == {"time", "level", "logger", "message", "error"}


def test_a_record_that_promises_an_exception_and_has_none_is_written_without() -> None:
    stream = written("json")
    logging.getLogger("any").error("alone", exc_info=True)  # noqa: LOG014 (the mistake under test)
    assert set(json.loads(stream.getvalue())) == {"time", "level", "logger", "message"}


def test_a_record_that_cannot_be_formatted_does_not_show_its_arguments() -> None:
    stream = written("text")
    logging.getLogger("any").warning("%d", ID)
    assert "could not be written" in stream.getvalue()
    assert ID not in stream.getvalue()


def test_a_stream_that_is_gone_stops_nobody() -> None:
    stream = written("text")
    stream.close()
    logging.getLogger("any").warning("into nothing")


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore.connection", "dbos", "sqlalchemy.engine", "uvicorn.access", "uvicorn.error", "mcp.x"]
)
def test_libraries_write_no_ordinary_records_even_at_debug(name: str) -> None:
    stream = written("text", level="DEBUG")
    logging.getLogger(name).info("GET /v1/demand/accounts/101")
    assert stream.getvalue() == ""


def test_warnings_of_the_engine_arrive_once_and_on_our_stream() -> None:
    stream = written("text")
    logging.getLogger("dbos").warning("workflow of %s", ID)
    assert stream.getvalue().count("workflow of [id]") == 1


def test_configuring_again_replaces_the_handler() -> None:
    written("text")
    second = written("text", level="ERROR")
    logging.getLogger("any").warning("not severe enough")
    logging.getLogger("any").error("once")
    assert second.getvalue().count("\n") == 1


@settings(deadline=None)
@given(st.uuids(), st.text(alphabet=" ,;:'\"{}()[]=\n/", max_size=4), st.text(alphabet=" ,;:'\"{}()[]=\n/", max_size=4))
def test_no_identifier_survives_whatever_stands_around_it(identifier: object, before: str, after: str) -> None:
    assert str(identifier) not in redacted(f"{before}{identifier}{after}")
