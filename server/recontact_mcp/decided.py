"""What follows from the settings: the rules of operations, what seals lists, and where people decide."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from recontact_tools.policy import Policy
from recontact_tools.runtime import ApprovalRules, Rules, Staging

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Evidence, Ledger
    from recontact_tools.runtime import Clock
    from recontact_tools.sealing import Seal
    from recontact_tools.watched import Publish

SNAPSHOT_KEY_FILE = "snapshots.key"


def rules_of(settings: Settings, *, local_files: bool, url: str | None) -> Rules:
    """Return everything that the operator decided; *url* as for `approval_rules_of`."""
    return Rules(
        policy=policy_of(settings),
        account_id=settings.account_id,
        project_id=settings.project_id,
        upload_roots=settings.upload_roots,
        local_files=local_files,
        pace=pace_of(settings),
        plan_seconds=settings.plan_seconds,
        compare_pages=1_000 if settings.embedded else settings.compare_pages,
        snapshots_kept=timedelta(days=settings.snapshot_days),
        template_id=settings.template_id,
        staging=None if local_files else Staging(settings.public_url, settings.staged_seconds, settings.staged_bytes),
        approval=approval_rules_of(settings, url),
    )


def seal_of(settings: Settings) -> Seal:
    """Return what seals the snapshots and opens them: with the configured key, or that of the data directory."""
    from recontact_tools.sealing import Seal

    return Seal(partial(_snapshot_key, settings), held=partial(_snapshot_key, settings, make=False))


def held_seal_of(settings: Settings) -> Seal:
    """Return `seal_of` for who only looks: where there is no key yet, none is made, and its use is an `OSError`."""
    from recontact_tools.sealing import Seal

    return Seal(partial(_snapshot_key, settings, make=False))


def _snapshot_key(settings: Settings, *, make: bool = True) -> bytes:
    from recontact_tools.sealing import key_at

    return settings.snapshot_key_bytes or key_at(settings.home / SNAPSHOT_KEY_FILE, make=make)


def policy_of(settings: Settings) -> Policy:
    """Return what the operator lets happen, and where."""
    return Policy(
        read_only=settings.read_only,
        accounts=settings.allowed_accounts,
        projects=settings.allowed_projects,
        target_groups=settings.allowed_target_groups,
    )


def approval_rules_of(settings: Settings, url: str | None) -> ApprovalRules:
    """Return how sure it must be that a person agreed; *url* is the page where they do so over HTTP."""
    return ApprovalRules(
        minimum=_minimum(settings, url),
        seconds=settings.approval_seconds,
        url=url,
        two_person=settings.approval_two_person,
        approvers=settings.approval_approvers,
        passkey=settings.approval_passkey == "required",
    )


def _minimum(settings: Settings, url: str | None) -> Evidence:
    """Return the least that is enough: never a client's word for a second person or a passkey."""
    from recontact_tools.ledger import Evidence

    if settings.approval_is_outside:
        return Evidence.HUMAN_OOB
    usual = Evidence.CLIENT_ELICITED if url is None else Evidence.HUMAN_OOB
    return usual if settings.approval_minimum is None else Evidence(settings.approval_minimum)


def can_sign_in(settings: Settings) -> bool:
    """Tell whether the settings let people sign in to approve, where tokens say who asks."""
    return settings.approval_client_id is not None and settings.approval_client_secret is not None


def decisions_of(settings: Settings, ledger: Ledger, clock: Clock, url: str | None, publish: Publish) -> Decisions:
    """Return where people decide about plans, by the settings; *url* as for `approval_rules_of`."""
    from recontact_tools.deciding import Decisions

    rules, kept = approval_rules_of(settings, url), timedelta(days=settings.snapshot_days)
    return Decisions(ledger, seal_of(settings), clock, rules, pace_of(settings), kept, publish)


def pace_of(settings: Settings) -> float:
    """Return how fast jobs run where the calls go: the embedded service's pace, or Cint's own."""
    return settings.pace if settings.embedded else 1.0
