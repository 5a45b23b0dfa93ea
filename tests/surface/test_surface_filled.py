"""What the server fills in by itself: no question of the SDK's stands behind it, and no span that nobody takes."""

from inspect import signature
from typing import Any, get_args, get_type_hints

import pytest
from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.mcpserver import Resolve

from recontact_mcp.app import build_server
from recontact_mcp.filled import CONTEXT, filled
from recontact_mcp.settings import Settings
from recontact_mcp.untraced import taken
from recontact_tools.catalog import EVERYTHING, Operation
from recontact_tools.injected import UNASKED


def resolved(function: Any) -> dict[str, Any]:
    """Return the parameters of a tool that the SDK resolves, which may ask somebody, and how."""
    hints = get_type_hints(function, include_extras=True)
    markers = {name: [one for one in get_args(hint)[1:] if isinstance(one, Resolve)] for name, hint in hints.items()}
    return {name: found[0].fn for name, found in markers.items() if found}


@pytest.mark.parametrize("operation", EVERYTHING, ids=lambda one: one.name)
def test_the_sdk_resolves_only_what_a_person_may_be_asked_for(operation: Operation) -> None:
    before, after = resolved(operation.run), resolved(filled(operation.run))
    assert after == {name: fill for name, fill in before.items() if fill not in UNASKED}
    assert "runtime" in before
    expected = {*signature(operation.run).parameters} - (before.keys() - after.keys()) | {CONTEXT}
    assert {*signature(filled(operation.run)).parameters} == expected


def test_no_spans_are_made_that_nobody_takes(settings: Settings) -> None:
    server = build_server(settings)
    assert not [one for one in server.middleware if isinstance(one, OpenTelemetryMiddleware)]
    assert taken([OpenTelemetryMiddleware()]) == []
