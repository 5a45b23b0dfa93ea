"""A whole little project beside a copy of run.py: its setup is real, and needs no network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "recontact-mcp"
version = "9.9.9"

[dependency-groups]
test = []
check = [{ include-group = "test" }]
"""

# Builds in the standard library alone, writes down each build, and "recontact-mcp" repeats its arguments.
BACKEND = """
import pathlib, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    with open("builds", "a") as builds:
        builds.write("built\\n")
    info = "recontact_mcp-9.9.9.dist-info"
    files = {
        "recontact_echo.py": "import sys\\ndef main(): print(*sys.argv[1:])\\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: recontact-mcp\\nVersion: 9.9.9\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: here\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/entry_points.txt": "[console_scripts]\\nrecontact-mcp = recontact_echo:main\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\\n" for name in [*files, f"{info}/RECORD"])
    name = "recontact_mcp-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with run.py and a project that has no dependencies."""

    path: Path
    env: dict[str, str]

    def start(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start `python3 run.py WORDS` without waiting for it."""
        return subprocess.Popen(
            [sys.executable, str(self.path / "run.py"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.path,
            env=self.env,
            encoding="utf-8",
        )

    def run(self, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
        """Run `python3 run.py WORDS`; answer its exit code, stdout and stderr."""
        process = self.start(*words, cwd=cwd)
        out, err = process.communicate(timeout=100)
        return process.returncode, out, err

    def builds(self) -> int:
        """Count how often the project was really installed."""
        record = self.path / "builds"
        return len(record.read_text("utf-8").splitlines()) if record.exists() else 0


@pytest.fixture
def make_checkout(tmp_path: Path) -> Callable[[str], Checkout]:
    """Make little projects by name."""

    def make(name: str) -> Checkout:
        path = tmp_path / name
        path.mkdir()
        shutil.copy(ROOT / "run.py", path)
        (path / "pyproject.toml").write_text(PYPROJECT, "utf-8")
        (path / "backend.py").write_text(BACKEND, "utf-8")
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_USER": "1"}
        return Checkout(path=path, env=env)

    return make


@pytest.fixture
def checkout(make_checkout: Callable[[str], Checkout]) -> Checkout:
    """One little project."""
    return make_checkout("a checkout")
