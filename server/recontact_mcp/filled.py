"""Operations as functions that the SDK calls, with the parameters filled that nobody has to be asked for."""

from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, Final, cast, get_args, get_type_hints

from mcp.server.mcpserver import Context, Resolve

from recontact_tools.injected import UNASKED, Filler
from recontact_tools.results import Result

CONTEXT: Final = "ctx"


def filled(run: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
    """Return an operation that takes the call's context in place of what can be filled from it.

    A resolver of the SDK may ask the client, and so remembers each value as an answer: a twentieth of a whole call.
    """
    hints = get_type_hints(run, include_extras=True)
    fillers = {name: fill for name, hint in hints.items() if (fill := _filler(hint)) is not None}

    @wraps(run)
    async def operation(**arguments: object) -> Result:
        context = cast("Context[Any]", arguments.pop(CONTEXT))
        for name, fill in fillers.items():
            arguments[name] = await fill(context)
        return await run(**arguments)

    shown = {name: hint for name, hint in hints.items() if name not in fillers}
    parameters = [
        one.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)
        for name, one in signature(run).parameters.items()
        if name in shown
    ]
    context = Parameter(CONTEXT, Parameter.KEYWORD_ONLY, annotation=Context)
    operation.__annotations__ = {**shown, CONTEXT: Context}
    operation.__signature__ = Signature([*parameters, context], return_annotation=hints["return"])  # type: ignore[attr-defined]
    return operation


def _filler(hint: object) -> Filler | None:
    marker = next((one for one in get_args(hint)[1:] if isinstance(one, Resolve)), None)
    return UNASKED.get(marker.fn) if marker is not None else None
