"""What a caller's host is told while a call waits for a job: how far it is, where the count shows that."""

from dataclasses import dataclass, field

from recontact_tools.injected import Progress
from recontact_tools.models import Job, JobKind
from recontact_tools.progress import Moved


@dataclass(slots=True)
class Told:
    """The notifications of one wait, whose numbers only grow, as the protocol asks.

    IDs done of all where the count of stored IDs has moved; else the seconds waited, of no total: how long a job still
    takes is not known, and a share of the wait would read as a share of the job.
    """

    progress: Progress
    kind: JobKind
    _last: float = field(default=-1.0, init=False)

    async def __call__(self, waited: float, job: Job, seen: Moved | None) -> None:
        """Tell how the job stands after so many seconds, if that is further than before."""
        words = f"{self.kind.value} job: {job.status}"
        done, total = waited, None
        if seen is not None:
            done, total, words = seen.done, float(seen.total), f"{words}, {seen.done} of {seen.total} IDs"
        if done > self._last:
            self._last = done
            await self.progress(float(done), total, words)
