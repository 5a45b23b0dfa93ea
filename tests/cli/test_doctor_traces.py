"""What `doctor` says of where traces go."""

import json
from collections.abc import Callable

from collector import collector
from typer.testing import Result

Run = Callable[..., Result]


def looked(run: Run, **variables: str) -> tuple[str, str, str | None] | None:
    """Return what the doctor says of traces: state, what was seen, and the cure."""
    checks = json.loads(run("doctor", "--json", **variables).stdout)["checks"]
    return next(((one["state"], one["seen"], one["cure"]) for one in checks if one["name"] == "Traces"), None)


def test_who_asks_for_no_traces_is_told_nothing_of_them(run: Run) -> None:
    assert looked(run) is None
    assert looked(run, OTEL_SDK_DISABLED="true", OTEL_TRACES_EXPORTER="otlp") is None


def test_a_collector_that_takes_traces_is_fine(run: Run) -> None:
    with collector() as there:
        assert looked(run, OTEL_EXPORTER_OTLP_ENDPOINT=there.url) == (
            "ok",
            "are taken where the OTEL_* variables say",
            None,
        )
        assert (len(there.bodies), there.spans) == (1, [])


def test_a_collector_that_is_away_or_refuses_is_warned_of(run: Run) -> None:
    with collector(status=401) as there:
        refusing = looked(run, OTEL_EXPORTER_OTLP_ENDPOINT=there.url)
    away = looked(run, OTEL_EXPORTER_OTLP_ENDPOINT=there.url)
    assert refusing == away
    assert away is not None
    assert (away[0], "OTEL_EXPORTER_OTLP_ENDPOINT" in (away[2] or "")) == ("warn", True)


def test_an_exporter_that_we_have_not_is_warned_of(run: Run) -> None:
    found = looked(run, OTEL_TRACES_EXPORTER="zipkin")
    assert found is not None
    assert (found[0], "otlp, console, none" in (found[2] or "")) == ("warn", True)
