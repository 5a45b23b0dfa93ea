"""A Python that came without pip, as Debian and Ubuntu have it: run.py fetches pip from the index."""

import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import threading
import zipfile
from base64 import b64encode
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.packaging.conftest import Checkout

ROOT = Path(__file__).resolve().parents[2]
# Runs run.py as on a machine where neither ensurepip nor pip is installed.
WITHOUT_PIP = """
import importlib.util, runpy, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("ensurepip", "pip") else real(name, *rest)
sys.argv, sys.path[0] = sys.argv[2:], sys.argv[1]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Puts itself into the environment that runs it, and then a recontact-mcp that repeats its arguments.
FAKE_PIP = """
import pathlib, sys, sysconfig, zipfile
places = sysconfig.get_paths()
if sys.argv[-1].endswith(".whl"):
    zipfile.ZipFile(sys.argv[-1]).extractall(places["purelib"])
else:
    pathlib.Path(places["scripts"], "recontact-mcp").write_text("import sys; print(*sys.argv[1:])")
"""
NAME = "pip-25.10-py3-none-any.whl"


def fake_wheel() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr("pip/__init__.py", "")
        wheel.writestr("pip/__main__.py", FAKE_PIP)
    return made.getvalue()


@dataclass
class Index:
    """A package index on this machine: what it has, by path, and who asked with which login."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    logins: list[str | None] = field(default_factory=list[str | None])
    port: int = 0

    def offer(self, *links: str) -> None:
        """List these links on the page of pip."""
        self.files["/simple/pip/"] = f"<!DOCTYPE html><body>{'<br>'.join(links)}</body>".encode()

    def link(self, name: str = NAME, *, says: str = "", content: bytes | None = None) -> str:
        """Serve a wheel, and return the link to it with its checksum."""
        content = fake_wheel() if content is None else content
        self.files[f"/files/{name}"] = content
        return f'<a href="../../files/{name}#sha256={hashlib.sha256(content).hexdigest()}" {says}>{name}</a>'

    @property
    def url(self) -> str:
        """The address that PIP_INDEX_URL gets."""
        return f"http://127.0.0.1:{self.port}/simple"


@pytest.fixture
def index() -> Generator[Index]:
    """Serve an empty index."""
    kept = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is the library's
            kept.logins.append(self.headers["Authorization"])
            content = kept.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the library's)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


@pytest.fixture(scope="module")
def first_pip() -> ModuleType:
    """first_pip.py as a module."""
    spec = importlib.util.spec_from_file_location("first_pip", ROOT / "first_pip.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(checkout: "Checkout", *words: str, **variables: str) -> tuple[int, str, str]:
    """Run run.py in a little project on a machine without pip."""
    shutil.copy(ROOT / "first_pip.py", checkout.path)
    env = {name: value for name, value in checkout.env.items() if name != "PIP_NO_INDEX"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP, str(checkout.path), str(checkout.path / "run.py"), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**env, "NO_PROXY": "*", **variables},
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_first_command_works_without_pip_and_the_second_starts_at_once(checkout: "Checkout", index: Index) -> None:
    index.offer(index.link())
    first = run(checkout, "doctor", "--json", PIP_INDEX_URL=index.url)
    asked = len(index.logins)
    second = run(checkout, "doctor", PIP_INDEX_URL=index.url)

    assert first[:2] == (0, "doctor --json\n"), first[2]
    assert "fetching it from the package index" in first[2]
    assert (second, len(index.logins)) == ((0, "doctor\n", ""), asked)


def test_the_index_of_pips_own_configuration_is_asked(checkout: "Checkout", index: Index, tmp_path: Path) -> None:
    index.offer(index.link())
    settings = tmp_path / ".config" / "pip"
    settings.mkdir(parents=True)
    (settings / "pip.conf").write_text(f"[global]\nindex-url = {index.url}/\n", "utf-8")
    answer = run(checkout, "doctor", XDG_CONFIG_HOME=str(tmp_path / ".config"))

    assert answer[:2] == (0, "doctor\n"), answer[2]


def test_a_login_in_the_address_is_sent_and_never_shown(checkout: "Checkout", index: Index) -> None:
    index.offer(index.link(content=b"damaged"))
    address = index.url.replace("//", "//robot:s%40cret@")
    code, _, said = run(checkout, "doctor", PIP_INDEX_URL=address)

    assert (code, set(index.logins)) == (1, {f"Basic {b64encode(b'robot:s@cret').decode()}"})
    assert "cret" not in said


def test_a_wheel_that_is_not_the_one_named_is_not_run(checkout: "Checkout", index: Index) -> None:
    index.offer(index.link())
    index.files[f"/files/{NAME}"] = fake_wheel() + b"and more"
    code, out, said = run(checkout, "doctor", PIP_INDEX_URL=index.url)

    assert (code, out) == (1, "")
    assert "its checksum differs" in said
    assert "Traceback" not in said


def test_without_a_network_it_is_said_which_address_was_tried(checkout: "Checkout") -> None:
    # Nothing listens on port 1.
    code, out, said = run(checkout, "doctor", PIP_INDEX_URL="http://127.0.0.1:1/simple")

    assert (code, out) == (1, "")
    assert "no pip: http://127.0.0.1:1/simple cannot be read" in said
    assert "No network, or a proxy? Mend that and run the same again" in said
    assert "Traceback" not in said


def test_a_pip_that_cannot_install_itself_is_said_so(checkout: "Checkout", index: Index) -> None:
    index.offer(index.link(content=b"no archive"))
    code, _, said = run(checkout, "doctor", PIP_INDEX_URL=index.url)

    assert code == 1
    assert "could not install itself" in said


def test_the_newest_final_wheel_that_fits_is_chosen(first_pip: ModuleType) -> None:
    page = "".join(
        f'<a href="/files/{name}{mark}" {says}>x</a>'
        for name, mark, says in (
            ("pip-25.9-py3-none-any.whl", "#sha256=AB", 'data-requires-python="&gt;=3.9"'),
            ("pip-25.10-py3-none-any.whl", "#sha256=CD", 'data-requires-python="&gt;=3.9,!=3.10.*,&lt;4"'),
            ("pip-26.0-py3-none-any.whl", "#sha256=00", 'data-requires-python="&gt;=3.12"'),
            ("pip-26.1-py3-none-any.whl", "#sha256=00", 'data-requires-python="~=3.11"'),
            ("pip-27.0b1-py3-none-any.whl", "#sha256=00", ""),
            ("pip-28.0-py3-none-any.whl", "#sha256=00", 'data-yanked=""'),
            ("pip-29.0-py3-none-any.whl", "", ""),
            ("pip-30.0.tar.gz", "#sha256=00", ""),
        )
    )

    assert first_pip.newest(page, "https://index.test/simple/pip/", (3, 11, 2)) == (
        (25, 10),
        "https://index.test/files/pip-25.10-py3-none-any.whl",
        "cd",
    )
    assert first_pip.newest(page, "https://index.test/simple/pip/", (3, 10, 4))[0] == (25, 9)
    assert first_pip.newest(page, "https://index.test/simple/pip/", (3, 8, 4)) is None


@pytest.mark.parametrize(
    ("url", "kept"),
    [("https://index.test/a.whl", "https://me:x@index.test/a.whl"), ("https://other.test/a", "https://other.test/a")],
)
def test_a_login_stays_with_the_host_it_is_for(first_pip: ModuleType, url: str, kept: str) -> None:
    assert first_pip.with_login_of("https://me:x@index.test/simple", url) == kept
