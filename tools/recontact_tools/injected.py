"""The parameters that the server fills and the model never sees; the one module here that names the SDK."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, cast

from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    DeclinedElicitation,
    Elicit,
    ElicitationResult,
    Resolve,
)
from pydantic import BaseModel, Field

from recontact_tools.approving import Where, approval_required, approved_already, awaited_approval
from recontact_tools.ledger import Approval, Evidence
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


class ApprovedElsewhere(BaseModel):
    """A person approved the plan outside the client; the ledger says so too, or it is worth nothing."""

    plan_id: str


class Unanswered(BaseModel):
    """Nobody answered, and why not."""

    reason: Literal["declined", "cancelled", "empty", "timed_out", "failed", "not_asked"]


Answer: TypeAlias = Confirmation | ApprovedElsewhere | Unanswered


def answer_of(outcome: ElicitationResult[Confirmation]) -> Answer:
    """Return what a person typed or approved elsewhere, or why there is nothing to read."""
    if isinstance(outcome, AcceptedElicitation):
        return cast("Answer", outcome.data)  # `_confirmation` may have asked by itself
    return Unanswered(reason="declined" if isinstance(outcome, DeclinedElicitation) else "cancelled")


class Lifespan(Protocol):
    """What the server's lifespan offers to resolvers."""

    async def runtime(self) -> Runtime:
        """Return what operations work with, opening it on the first call."""
        ...

    def can_ask(self, ctx: "Context[Lifespan]") -> bool:
        """Tell whether the client can put a question to a person."""
        ...

    async def where_to_approve(self, approval: Approval) -> Where:
        """Make ready the place where a person decides about a plan, and say where it is."""
        ...

    async def ask(
        self, ctx: "Context[Lifespan]", question: Question
    ) -> Elicit[Confirmation] | Confirmation | Unanswered:
        """Put a question to a person in the way the client's protocol era has for it."""
        ...


async def _runtime(ctx: Context[Lifespan]) -> Runtime:
    return await ctx.request_context.lifespan_context.runtime()


async def _progress(ctx: Context[Lifespan]) -> Progress:
    return ctx.report_progress


async def _asked(
    ctx: Context[Lifespan], runtime: Runtime, group: TargetGroup, new: NewList | None
) -> Elicit[Confirmation] | Answer:
    """Put the question to a person, or bring back what was answered to it, here or outside the client.

    Raises:
        NotAllowed: A person has to agree outside the client, and has not yet.
    """
    asking, answered = ctx.request_context.lifespan_context, ctx.input_responses is not None
    enough = runtime.rules.approval.are_met_by(Evidence.CLIENT_ELICITED) and asking.can_ask(ctx)
    if not (enough and answered) and (approved := await approved_already(runtime, group, new)) is not None:
        return ApprovedElsewhere(plan_id=approved.plan.plan_id)
    if enough:
        asked = await question(runtime, group, answered=answered, new=new)
        answer = await asking.ask(ctx, asked)
        if not (isinstance(answer, Unanswered) and answer.reason == "failed"):
            return answer
    approval = await awaited_approval(runtime, group, new)
    raise approval_required(approval, await asking.where_to_approve(approval))


async def _confirmation(
    target_group_id: str,
    project_id: str | None,
    account_id: int | None,
    idempotency_key: str | None,
    ctx: Context[Lifespan],
) -> Elicit[Confirmation] | Answer:
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
    runtime = await _runtime(ctx)
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    given = Given("replacement", path, ids, ticket, IdType(id_type), column, idempotency_key)
    source = await read_source(runtime, group, given)
    return await wished_from(runtime, group, source, given.id_type, key=idempotency_key)


async def _replacement_confirmation(
    wished: Annotated[WishedReplacement, Resolve(_replacement)], ctx: Context[Lifespan]
) -> Elicit[Confirmation] | Answer:
    if wished.earlier is not None:
        return Unanswered(reason="not_asked")
    wanted = wished.replacement
    new = NewList(wanted.ids, wanted.fingerprint, wished.source.staged)
    return await _asked(ctx, await _runtime(ctx), wanted.group, new)


# The SDK names this type for every value it injects, and pydantic forgets what nobody holds: building it
# anew, once in some 25 calls, took longer than the call.
ACCEPTED: Final = AcceptedElicitation[Any]

Injected = Annotated[Runtime, Resolve(_runtime)]
InjectedProgress = Annotated[Progress, Resolve(_progress)]
InjectedConfirmation = Annotated[ElicitationResult[Confirmation], Resolve(_confirmation)]
InjectedReplacement = Annotated[WishedReplacement, Resolve(_replacement)]
InjectedReplacementConfirmation = Annotated[ElicitationResult[Confirmation], Resolve(_replacement_confirmation)]

Filler: TypeAlias = Callable[[Context[Any]], Awaitable[Any]]
# Resolvers that only look at the context of a call: a server may call them itself, for nobody is asked.
UNASKED: Final[Mapping[Callable[..., Any], Filler]] = {fill: fill for fill in (_runtime, _progress)}

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
