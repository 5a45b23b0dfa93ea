"""Evidence that a person agreed: one question, put in the way of the client's protocol era."""

import anyio
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit
from mcp.shared.exceptions import MCPError
from mcp_types import ClientCapabilities, ElicitResult, InputResponses
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from recontact_tools.injected import Confirmation, Lifespan, Unanswered
from recontact_tools.plans import Question

# source: MCP 2026-07-28, the first revision that carries questions inside the result of the call.
ROUNDS_SINCE = "2026-07-28"


def can_ask(capabilities: ClientCapabilities | None) -> bool:
    """Whether the client declared that it can show a form; a bare declaration counts as form support."""
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


async def ask(
    ctx: Context[Lifespan], question: Question, *, seconds: float
) -> Elicit[Confirmation] | Confirmation | Unanswered:
    """Ask a person to type the phrase of a plan.

    In the modern era the question travels with the result and the answer with the next call; before it, the
    question is a request of ours inside the call, and *seconds* is how long the call waits for the answer.
    """
    version = ctx.protocol_version
    if version is not None and is_version_at_least(version, ROUNDS_SINCE):
        # Left to the SDK, a malformed answer would not reach the tool, and its plan would stay open for another.
        if _is_malformed(ctx.input_responses or {}):
            return Unanswered(reason="empty")
        return Elicit(question.message, Confirmation)
    return await _asked_at_once(ctx, question, seconds)


async def _asked_at_once(ctx: Context[Lifespan], question: Question, seconds: float) -> Confirmation | Unanswered:
    with anyio.move_on_after(seconds):
        try:
            outcome = await ctx.elicit(question.message, Confirmation)
        except ValueError:  # accepted with nothing in it, or with something else
            return Unanswered(reason="empty")
        except MCPError:  # the client's own trouble, whose words are not ours to repeat
            return Unanswered(reason="failed")
        if isinstance(outcome, AcceptedElicitation):
            return outcome.data
        return Unanswered(reason="declined" if outcome.action == "decline" else "cancelled")
    return Unanswered(reason="timed_out")


def _is_malformed(responses: InputResponses) -> bool:
    """Whether something came back that is no answer to a form, or accepts it without what it asks for."""
    return not all(_is_answer(response) for response in responses.values())


def _is_answer(response: object) -> bool:
    if not isinstance(response, ElicitResult):
        return False
    if response.action != "accept":
        return True
    try:
        Confirmation.model_validate(response.content)
    except ValidationError:
        return False
    return True
