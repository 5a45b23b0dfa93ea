"""Jobs that this ledger did not start: who wants them followed, and how they ended; `elsewhere` of the ledger."""

from collections.abc import Iterable
from datetime import datetime

from recontact_tools.ledger.database import Connection, Database, Row
from recontact_tools.ledger.following import ForeignJob, JobKey
from recontact_tools.ledger.rows import OF_GROUP, group_from, group_values, instant, job_from, job_text
from recontact_tools.models import Job, JobKind

# ours: some five megabytes; whoever asks for an older job asks the API again.
KEPT = 10_000

_SELECT = "SELECT kind, account_id, project_id, target_group_id, job_id, job, wanted_until FROM elsewhere"
_KEY = f"kind = ? AND {OF_GROUP} AND job_id = ?"
_OWNED = f"UPDATE elsewhere SET wanted_by = ? WHERE {_KEY}"  # noqa: S608 - constants of ours
_COUNT = """
    SELECT count(*) AS everybody, coalesce(sum(CASE WHEN wanted_by = ? THEN 1 ELSE 0 END), 0) AS own
    FROM elsewhere WHERE wanted_until > ?
"""


class SqlElsewhere:
    """The `Elsewhere` in the ledger's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: JobKey) -> ForeignJob | None:
        """See `Elsewhere.find`."""
        return await self._database.read(lambda connection: _one(connection, key))

    async def want(
        self, key: JobKey, job: Job | None, *, now: datetime, until: datetime, owner: str, at_most: tuple[int, int]
    ) -> bool:
        """See `Elsewhere.want`."""

        def write(connection: Connection) -> bool:
            known = _one(connection, key)
            if known is not None and known.has_ended:
                return True
            is_followed = known is not None and known.wanted_until is not None and known.wanted_until > now
            if not is_followed and not _has_place(connection, now, owner, at_most):
                return False
            _upsert(connection, key, job, until)
            if not is_followed:
                connection.execute(_OWNED, (owner, *_values(key)))
            return True

        return await self._database.write(write)

    async def renew(self, keys: Iterable[JobKey], *, until: datetime) -> None:
        """See `Elsewhere.renew`."""
        rows = [(instant(until), *_values(key)) for key in keys]
        change = f"UPDATE elsewhere SET wanted_until = ? WHERE {_KEY} AND wanted_until IS NOT NULL"  # noqa: S608 - as above
        await self._database.write(lambda connection: connection.executemany(change, rows))

    async def wanted(self, *, now: datetime) -> tuple[ForeignJob, ...]:
        """See `Elsewhere.wanted`."""

        def read(connection: Connection) -> tuple[ForeignJob, ...]:
            rows = connection.execute(f"{_SELECT} WHERE wanted_until > ? ORDER BY position", (instant(now),))
            return tuple(map(_from, rows))

        return await self._database.read(read)

    async def note(self, key: JobKey, job: Job) -> bool:
        """See `Elsewhere.note`."""
        seen = await self._database.read(lambda connection: _one(connection, key))
        if not _is_news(seen, job):
            return False  # most looks show nothing new, and cost no write

        def write(connection: Connection) -> bool:
            before = _one(connection, key)
            if not _is_news(before, job):
                return False
            _upsert(connection, key, job, None if job.is_finished or before is None else before.wanted_until)
            return before is not None and before.job is not None and before.job.status != job.status

        return await self._database.write(write)

    async def give_up(self, key: JobKey) -> None:
        """See `Elsewhere.give_up`."""
        change = f"UPDATE elsewhere SET wanted_until = NULL WHERE {_KEY}"  # noqa: S608 - as above
        await self._database.write(lambda connection: connection.execute(change, _values(key)))


def _has_place(connection: Connection, now: datetime, owner: str, at_most: tuple[int, int]) -> bool:
    row = connection.execute(_COUNT, (owner, instant(now))).fetchone()
    return bool(row["everybody"] < at_most[0] and row["own"] < at_most[1])


def _is_news(seen: ForeignJob | None, job: Job) -> bool:
    if seen is None:
        return job.is_finished
    return not seen.has_ended and job_text(seen.job) != job_text(job)


def _upsert(connection: Connection, key: JobKey, job: Job | None, until: datetime | None) -> None:
    connection.execute(
        "INSERT INTO elsewhere (kind, account_id, project_id, target_group_id, job_id, job, wanted_until) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job_id, target_group_id, kind, project_id, account_id) "
        "DO UPDATE SET job = coalesce(excluded.job, elsewhere.job), wanted_until = excluded.wanted_until",
        (*_values(key), job_text(job), until and instant(until)),
    )
    connection.execute(
        "DELETE FROM elsewhere WHERE position <= (SELECT max(position) FROM elsewhere) - ? AND wanted_until IS NULL",
        (KEPT,),
    )


def _one(connection: Connection, key: JobKey) -> ForeignJob | None:
    row = connection.execute(f"{_SELECT} WHERE {_KEY}", _values(key)).fetchone()
    return row and _from(row)


def _values(key: JobKey) -> tuple[str | int, ...]:
    return (key.kind.value, *group_values(key.group), key.job_id)


def _from(row: Row) -> ForeignJob:
    group = group_from(row)
    return ForeignJob(
        JobKey(JobKind(row["kind"]), group, row["job_id"]),
        row["job"] and job_from(row["job"]),
        row["wanted_until"] and datetime.fromisoformat(row["wanted_until"]),
    )
