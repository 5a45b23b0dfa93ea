"""The parameters that the server fills and the model never sees; the one module here that names the SDK."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, Protocol, cast

from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    DeclinedElicitation,
    Elicit,
    ElicitationResult,
    Resolve,
)
from pydantic import BaseModel, Field

from recontact_tools.locating import locate
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.plans import NewList, Question, question
from recontact_tools.policy import check_write
from recontact_tools.reading_source import Given, read_source
from recontact_tools.runtime import Runtime
from recontact_tools.wishes import WishedReplacement, is_known_removal, wished_from

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Tell the caller how far a wait has come: done, total (None when unknown), and a sentence."""


class Confirmation(BaseModel):
    """What a person types to agree to a removal."""

    phrase: str = Field(
        title="Confirmation phrase", description="Type the phrase from the question, exactly.", min_length=1
    )


class Unanswered(BaseModel):
    """Nobody answered, and why not."""

    reason: Literal["declined", "cancelled", "empty", "timed_out", "failed", "not_asked"]


def answer_of(outcome: ElicitationResult[Confirmation]) -> Confirmation | Unanswered:
    """Return what a person typed, or why there is nothing to read."""
    if isinstance(outcome, AcceptedElicitation):
        return cast("Confirmation | Unanswered", outcome.data)  # `_confirmation` may have asked by itself
    return Unanswered(reason="declined" if isinstance(outcome, DeclinedElicitation) else "cancelled")


class Lifespan(Protocol):
    """What the server's lifespan offers to resolvers."""

    async def runtime(self) -> Runtime:
        """Return what operations work with, opening it on the first call."""
        ...

    def require_asking(self, ctx: "Context[Lifespan]") -> None:
        """Refuse where the client cannot put a question to a person."""

    async def ask(
        self, ctx: "Context[Lifespan]", question: Question
    ) -> Elicit[Confirmation] | Confirmation | Unanswered:
        """Put a question to a person in the way the client's protocol era has for it."""
        ...


async def _runtime(ctx: Context[Lifespan]) -> Runtime:
    return await ctx.request_context.lifespan_context.runtime()


async def _progress(ctx: Context[Lifespan]) -> Progress:
    return ctx.report_progress


def _require_asking(ctx: Context[Lifespan]) -> None:
    ctx.request_context.lifespan_context.require_asking(ctx)


async def _asked(
    ctx: Context[Lifespan], runtime: Runtime, group: TargetGroup, new: NewList | None
) -> Elicit[Confirmation] | Confirmation | Unanswered:
    """Put the question to a person, or bring back what was answered to it."""
    _require_asking(ctx)
    asked = await question(runtime, group, answered=ctx.input_responses is not None, new=new)
    return await ctx.request_context.lifespan_context.ask(ctx, asked)


async def _confirmation(
    target_group_id: str,
    project_id: str | None,
    account_id: int | None,
    idempotency_key: str | None,
    ctx: Context[Lifespan],
) -> Elicit[Confirmation] | Confirmation | Unanswered:
    if idempotency_key is None:  # else the answer may be known, and nobody is asked
        _require_asking(ctx)
    runtime = await _runtime(ctx)
    group = await locate(runtime, target_group_id, project_id, account_id)
    if idempotency_key is not None and await is_known_removal(runtime, group, idempotency_key):
        return Unanswered(reason="not_asked")
    return await _asked(ctx, runtime, group, None)


async def _replacement(
    target_group_id: str,
    path: str | None,
    ticket: str | None,
    ids: list[str] | None,
    id_type: Literal["RSID", "RID"],
    column: str | None,
    project_id: str | None,
    account_id: int | None,
    idempotency_key: str | None,
    ctx: Context[Lifespan],
) -> WishedReplacement:
    """Read what is to replace the stored list, once in every round of a call."""
    if idempotency_key is None and ticket is None:  # else the answer may be known, and nobody is asked
        _require_asking(ctx)
    runtime = await _runtime(ctx)
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    given = Given("replacement", path, ids, ticket, IdType(id_type), column, idempotency_key)
    source = await read_source(runtime, group, given)
    return await wished_from(runtime, group, source, given.id_type, key=idempotency_key)


async def _replacement_confirmation(
    wished: Annotated[WishedReplacement, Resolve(_replacement)], ctx: Context[Lifespan]
) -> Elicit[Confirmation] | Confirmation | Unanswered:
    if wished.earlier is not None:
        return Unanswered(reason="not_asked")
    wanted = wished.replacement
    return await _asked(ctx, await _runtime(ctx), wanted.group, NewList(wanted.ids, wanted.fingerprint))


# The SDK names this type for every value it injects, and pydantic forgets what nobody holds: building it
# anew, once in some 25 calls, took longer than the call.
ACCEPTED: Final = AcceptedElicitation[Any]

Injected = Annotated[Runtime, Resolve(_runtime)]
InjectedProgress = Annotated[Progress, Resolve(_progress)]
InjectedConfirmation = Annotated[ElicitationResult[Confirmation], Resolve(_confirmation)]
InjectedReplacement = Annotated[WishedReplacement, Resolve(_replacement)]
InjectedReplacementConfirmation = Annotated[ElicitationResult[Confirmation], Resolve(_replacement_confirmation)]

TargetGroupId = Annotated[str, Field(description="ULID, or a pasted Cint URL.")]
# Undescribed to save room in every list of tools: the server's instructions say once what they default to.
ProjectId = str | None
IdempotencyKey = Annotated[
    Annotated[str, Field(pattern=r"^[!-~]{1,255}$")] | None,
    Field(description="Your name for this wish: repeated, it never starts a second job."),
]
AccountId = int | None
JobId = Annotated[str, Field(description="From the tool that started or listed the job.")]
WaitSeconds = Annotated[int, Field(ge=0, le=45, description="Wait this long at most for the job to end.")]
Cursor = Annotated[str | None, Field(description="next_cursor of the page before.")]
PageSize = Annotated[int, Field(ge=1, le=100)]
