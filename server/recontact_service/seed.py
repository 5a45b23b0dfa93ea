"""Put target groups into the service, and what it knows of respondents."""

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

from recontact_service.documents import check_fields, default_document
from recontact_service.lines import read_lines, read_pairs
from recontact_service.packed import ID_BYTES
from recontact_service.settings import CAPACITY, Postgres
from recontact_service.store import GroupElsewhere, Store
from recontact_service.stores import open_store
from recontact_service.values import Json, TargetGroup, TargetGroupState

DEFAULT_ACCOUNT_ID = 101
DEFAULT_PROJECT_ID = "01BTGNYV6HRNK8K8VKZASZCFP0"
DEFAULT_TARGET_GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
_ULID = re.compile(r"[0-9A-Z]{26}")  # source: components.schemas.TargetGroupID.pattern


def seed(
    database: Path | Postgres,
    *,
    now: Callable[[], datetime],
    target_group_id: str,
    account_id: int = DEFAULT_ACCOUNT_ID,
    project_id: str = DEFAULT_PROJECT_ID,
    state: TargetGroupState = TargetGroupState.DRAFT,
    fields: Mapping[str, Json] | None = None,
    excluded: bytes | None = None,
    move: bool = False,
) -> None:
    """Create a target group in the service's database, or replace what its reads show.

    *fields* replace top-level fields of the default recontact target group (`live_url`, `completes_goal`,
    `status` ...), see `documents`; the stored respondent IDs of an existing target group stay. *excluded* is a file
    of the RSIDs that may not enter, one a line; None leaves those that are there. *move* lets an existing target
    group change its account or project. A running service sees it at once.

    Raises:
        ValueError: an identifier is not well formed, a field is unknown, *excluded* has a line that is no RSID or
            too many, or the target group belongs to another account or project and is not to be moved.
    """
    if not _ULID.fullmatch(target_group_id) or not _ULID.fullmatch(project_id):
        raise ValueError("target group and project ids are 26 digits and upper-case letters")
    document = default_document(now())
    check_fields(fields or {}, document)
    group = TargetGroup(
        account_id=account_id,
        project_id=project_id,
        target_group_id=target_group_id,
        state=state,
        document={**document, **(fields or {})},
    )
    ids = None if excluded is None else _excluded(excluded)
    with closing(open_store(database)) as store:
        try:
            store.put_group(group, excluded=ids, move=move)
        except GroupElsewhere:
            raise ValueError(
                "the target group belongs to another account or project, and was not to be moved"
            ) from None


def map_responses(database: Path | Postgres, table: bytes) -> int:
    """Remember which respondent each response belongs to, for uploads of RIDs; return how many the table names.

    *table* has two columns, the RID and its RSID, one pair a line, with or without a line of their names.

    Raises:
        ValueError: a line is no such pair, or contradicts another; nothing was remembered.
    """
    pairs = read_pairs(table)
    with closing(open_store(database)) as store:
        store.map_response_ids(pairs)
    return len(pairs)


def _excluded(content: bytes) -> bytes:
    found = read_lines(content)
    if found.failed:
        raise ValueError(f"{found.failed} lines of the excluded RSIDs are none")
    if len(found.ids) > CAPACITY * ID_BYTES:
        raise ValueError(f"there are more than {CAPACITY} excluded RSIDs")
    return found.ids


def seed_defaults(store: Store, *, now: Callable[[], datetime]) -> None:
    """Create the target group that a fresh service has; one that exists stays as it is."""
    store.add_group(
        TargetGroup(
            account_id=DEFAULT_ACCOUNT_ID,
            project_id=DEFAULT_PROJECT_ID,
            target_group_id=DEFAULT_TARGET_GROUP_ID,
            state=TargetGroupState.DRAFT,
            document=default_document(now()),
        )
    )
