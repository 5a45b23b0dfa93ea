"""The tasks of the ledger on SQLite: a row a job and principal, which nothing but its end of life removes."""

from datetime import datetime

from recontact_tools.ledger.database import Connection, Database, Row
from recontact_tools.ledger.rows import OF_GROUP, group_from, group_values, instant
from recontact_tools.ledger.task_interface import Task
from recontact_tools.models import JobKind

_COLUMNS = (
    "task_id, principal, kind, account_id, project_id, target_group_id, job_id, created_at, expires_at, "
    "updated_at, note"
)
_SELECT = f"SELECT {_COLUMNS} FROM tasks"  # noqa: S608 - the columns are a constant of ours
_INSERT = f"INSERT INTO tasks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_OF_JOB = f"principal = ? AND kind = ? AND job_id = ? AND {OF_GROUP}"


class SqlTasks:
    """The `Tasks` of one ledger file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bind(self, task: Task) -> Task:
        """See `Tasks.bind`."""
        return await self._database.write(lambda connection: _bind(connection, task))

    async def find(self, task_id: str, *, principal: str, now: datetime) -> Task | None:
        """See `Tasks.find`."""
        return await self._database.read(lambda connection: _find(connection, task_id, principal, now))

    async def note(self, task_id: str, note: str, *, now: datetime) -> None:
        """See `Tasks.note`."""
        await self._database.write(lambda connection: _note(connection, task_id, note, now))


def _bind(connection: Connection, task: Task) -> Task:
    """Write a task unless its principal has one for the job; runs under the write lock, so that one job gets one."""
    connection.execute("DELETE FROM tasks WHERE expires_at <= ?", (instant(task.created_at),))
    same = (task.principal, task.kind.value, task.job_id, *group_values(task.group))
    row = connection.execute(f"{_SELECT} WHERE {_OF_JOB}", same).fetchone()
    if row is not None:
        return _task_from(row)
    connection.execute(_INSERT, _values(task))
    return task


def _find(connection: Connection, task_id: str, principal: str, now: datetime) -> Task | None:
    row = connection.execute(
        f"{_SELECT} WHERE task_id = ? AND principal = ? AND expires_at > ?", (task_id, principal, instant(now))
    ).fetchone()
    return row and _task_from(row)


def _note(connection: Connection, task_id: str, note: str, now: datetime) -> None:
    connection.execute("UPDATE tasks SET note = ?, updated_at = ? WHERE task_id = ?", (note, instant(now), task_id))


def _values(task: Task) -> tuple[str | int | None, ...]:
    return (
        task.task_id,
        task.principal,
        task.kind.value,
        *group_values(task.group),
        task.job_id,
        instant(task.created_at),
        instant(task.expires_at),
        instant(task.updated_at),
        task.note,
    )


def _task_from(row: Row) -> Task:
    return Task(
        task_id=row["task_id"],
        principal=row["principal"],
        kind=JobKind(row["kind"]),
        group=group_from(row),
        job_id=row["job_id"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        note=row["note"],
    )
