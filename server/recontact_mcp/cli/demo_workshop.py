"""The demo's own directory, which is gone afterwards unless it is kept."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

# source: architecture.md, the recontact target group of a fresh embedded service
TARGET_GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
# source: cint-api.md 1.1, 10 to 15 minutes for 10,000; the embedded service takes the middle
DOCUMENTED_SECONDS_PER_ID = 750 / 10_000
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Workshop:
    """The server's data, the folder it may read files from, and the logs; *pace* slows the service down."""

    folder: Path
    pace: float

    @property
    def uploads(self) -> Path:
        """The one upload root."""
        return self.folder / "recontacts"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    def log(self, server: str) -> Path:
        """Return where a server's stderr goes."""
        return self.folder / f"{server}.log"

    def environment(self) -> dict[str, str]:
        """Return all that a server is told."""
        return {
            "RECONTACT_DATA_DIR": str(self.data),
            "RECONTACT_UPLOAD_ROOTS": str(self.uploads),
            "RECONTACT_PACE": f"{self.pace:.9f}",
            "RECONTACT_LOG_LEVEL": "WARNING",
        }

    def log_tail(self) -> str | None:
        """Return the end of what the servers logged."""
        lines: list[str] = []
        for log in sorted(self.folder.glob("*.log")):
            lines += log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(("The end of the server's log:", *lines)) if lines else None


@contextmanager
def workshop(console: Console, *, keep: bool, ids: int, upload_seconds: float) -> Generator[Workshop]:
    """Make the directory; the service is slowed down so that an upload of *ids* IDs takes so many seconds."""
    made = Workshop(
        Path(tempfile.mkdtemp(prefix="recontact-demo-")), upload_seconds / (ids * DOCUMENTED_SECONDS_PER_ID)
    )
    try:
        made.uploads.mkdir()
        yield made
    finally:
        if keep:
            console.print(f"Kept: {made.folder}", markup=False)
        else:
            shutil.rmtree(made.folder, ignore_errors=True)
