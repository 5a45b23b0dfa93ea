"""The durable engine's own calls; imported late, for its import takes half a second."""

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

from anyio import to_thread
from dbos import DBOS, DBOSClient, DBOSConfig, Serializer, SetWorkflowID

from recontact_tools import old_sqlite, workflows
from recontact_tools.desk import Desk
from recontact_tools.ledger.sqlite_connection import make_write_ahead
from recontact_tools.work import Work

# ours: what siblings enqueue is rare, and they wait for an answer.
QUEUE_POLL_SECONDS = 0.2
QUEUE = "recontacts"
# Work is found again only under the version that wrote it; changed workflows use the engine's patching.
APPLICATION_VERSION = "1"
# ours: a job at a time per target group keeps this far from ever binding.
JOBS_AT_ONCE = 64
# ours: the ledger lets one intent of a target group be active, and that is the rule; the follower of one that has just
# ended may sleep for a while yet, and must not keep the next one waiting.
PER_TARGET_GROUP = 8
# ours: long after anybody would ask the engine itself about a job; the ledger still knows it.
WORKFLOWS_KEPT = timedelta(days=30)
# ours: a replica's engine looks four times a second, and writes some ten rows a job; with the ledger's own connections
# a replica stays below ten.
CONNECTIONS = 4
# ours: a thread of the engine looks for messages between workflows, of which we send none, and every server waits for
# its last sleep before it ends: ten looks a second at an empty table in memory, for an end that is not a second late.
MESSAGES_POLL_SECONDS = 0.1
# What the engine logs as a warning, and is as it is meant to be: a workflow that is found again; a role that may use
# its own database only.
QUIET = ("Workflow already exists in queue: ", "Could not connect to postgres database")
DRIVERS_WORDS = "(psycopg."


class JsonSerializer(Serializer):
    """Keeps only JSON in the engine's database: reading the engine's own format would run code."""

    def serialize(self, data: object) -> str:
        """Return *data* as JSON; of an exception its kind alone is kept, for its text may say too much."""
        return json.dumps(data, default=lambda value: type(value).__name__)

    def deserialize(self, serialized_data: str) -> object:
        """Return what was serialized."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """Return the name that the engine stores beside each value."""
        return "json"


def launch(database: Path, desk: Desk) -> None:
    """Start the engine on *database*; call it on the event loop's thread, for that is where workflows run then.

    What an earlier process left pending goes on at once.
    """
    workflows.bind(desk)
    _launch(database)


def rehearse(database: Path) -> None:
    """Start the engine on a *database* of its own and stop it again: whatever keeps it from starting is raised."""
    try:
        _launch(database)
    finally:
        shut_down()


def _launch(database: Path) -> None:
    old_sqlite.supply_time()
    make_write_ahead(database)
    _configured({"system_database_url": _url(database), "executor_id": "local"})
    DBOS.launch()


async def launch_replica(url: str, schema: str, name: str, desk: Desk) -> None:
    """Start the engine of one replica on PostgreSQL, under a *name* of its own; its tables are in *schema*.

    What others left pending goes on when somebody calls `recover`.
    """
    workflows.bind(desk)
    engine = _configured(
        {
            "system_database_url": url,
            "dbos_system_schema": schema,
            "executor_id": name,
            "sys_db_pool_size": CONNECTIONS,
            "use_listen_notify": False,  # nothing here waits for the engine's events, and it costs a connection
        }
    )
    # Workflows run on the loop that is known when the engine starts, and it starts in a thread: it waits for the
    # database, for which no call must wait. What is private is watched by tests/workflows/test_engine_contract.py.
    engine._background_event_loop.set_main_loop()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    await to_thread.run_sync(DBOS.launch)


def _configured(settings: DBOSConfig) -> DBOS:
    logging.getLogger("dbos").addFilter(_is_news)
    return DBOS(
        config={
            "name": "recontact-mcp",
            "application_version": APPLICATION_VERSION,
            "max_executor_threads": 16,
            "serializer": JsonSerializer(),
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": MESSAGES_POLL_SECONDS,
            **settings,
        }
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether the engine says something new, and cut off what the database's driver says in it.

    After a crash the engine queues what it finds again, and the ledger's intents are submitted as well, under the
    same ids. That such a workflow is in a queue already is how it is meant, and no warning at every restart. The
    driver's words hold the address of the database.
    """
    text = str(record.msg)
    record.msg = text.partition(DRIVERS_WORDS)[0]
    return not text.startswith(QUIET)


async def at_work() -> set[str]:
    """Return the names of the replicas that have begun something, dead or alive."""
    begun = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
    return {workflow.executor_id for workflow in begun if workflow.executor_id}


async def recover(name: str) -> None:
    """Let whoever is there go on with what a replica was at; it must be dead."""
    recover = DBOS._recover_pending_workflows  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as above
    await to_thread.run_sync(recover, [name])


async def listen() -> None:
    """Take what siblings enqueue."""
    await DBOS.register_queue_async(
        QUEUE,
        partition_concurrency=PER_TARGET_GROUP,
        worker_concurrency=JOBS_AT_ONCE,
        polling_interval_sec=QUEUE_POLL_SECONDS,
        on_conflict="always_update",
    )


async def forget(now: datetime) -> None:
    """Delete what the engine keeps of workflows that ended long ago; the ledger knows their outcomes."""
    before = now - WORKFLOWS_KEPT
    ended = await DBOS.list_workflows_async(
        status=["SUCCESS", "ERROR"], completed_before=before.isoformat(), load_input=False, load_output=False
    )
    await DBOS.delete_workflows_async([workflow.workflow_id for workflow in ended])


async def run(work: Work) -> None:
    """Start a workflow in this process, unless it was started before."""
    with SetWorkflowID(work.run_id):
        await DBOS.start_workflow_async(workflows.WORKFLOWS[work.workflow], work.work_id)


def client(database: Path) -> DBOSClient:
    """Return the way to hand intents to the process that executes."""
    old_sqlite.supply_time()
    return DBOSClient(system_database_url=_url(database), serializer=JsonSerializer())


async def enqueue(engine: DBOSClient, work: Work) -> None:
    """Hand work to the process that executes, unless it was handed over before."""
    await engine.enqueue_async(
        {
            "workflow_name": work.workflow.value,
            "queue_name": QUEUE,
            "workflow_id": work.run_id,
            "queue_partition_key": work.target_group_id,
            "app_version": APPLICATION_VERSION,
        },
        work.work_id,
    )


def shut_down() -> None:
    """Stop the engine; pending workflows are meant to stay pending, so it is not heard about each of them."""
    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS.destroy()


def _url(database: Path) -> str:
    return f"sqlite:///{database}"
