"""The rehearsal surface of a standalone service: script faults, count requests and jobs. Never part of the API."""

from starlette.types import Receive, Scope

from recontact_service.bodies import read_json
from recontact_service.faults import Fault, FaultKind, Faults
from recontact_service.operations import Operation
from recontact_service.problems import Answer, as_json, bad_parameter, not_found
from recontact_service.store import Store, reading
from recontact_service.values import Json

PREFIX = "/_service/"
_TIMES_MAX = 1_000  # ours: a rehearsal, not a load test


async def answer(scope: Scope, receive: Receive, *, faults: Faults, store: Store) -> Answer:
    """Answer `POST /_service/faults` and `GET /_service/requests`.

    A fault is `{"operation", "kind", "times"?, "seconds"?}`; `DELETE /_service/faults` forgets all of them.
    """
    request = (scope["method"], scope["path"].removeprefix(PREFIX))
    if request == ("POST", "faults"):
        _script(faults, await read_json(receive))
        return Answer(204, b"", ())
    if request == ("DELETE", "faults"):
        faults.clear()
        return Answer(204, b"", ())
    if request == ("GET", "requests"):
        requests: dict[str, Json] = {name.value: count for name, count in faults.requests.items()}
        return as_json({"requests": requests, "jobs": dict(await reading(store, store.count_jobs))})
    raise not_found()


def _script(faults: Faults, body: dict[str, Json]) -> None:
    operation, kind = body.get("operation"), body.get("kind")
    times, seconds = body.get("times", 1), body.get("seconds", 1.0)
    if operation not in [one.value for one in Operation]:
        raise bad_parameter("operation", "is not an operation")
    if kind not in [one.value for one in FaultKind]:
        raise bad_parameter("kind", "is not a fault")
    if not isinstance(times, int) or not 1 <= times <= _TIMES_MAX:
        raise bad_parameter("times", "must be between 1 and 1000")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise bad_parameter("seconds", "must be a number of seconds")
    faults.script(Operation(str(operation)), Fault(FaultKind(str(kind)), float(seconds)), times=times)
