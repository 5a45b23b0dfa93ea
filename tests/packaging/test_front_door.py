"""The front door: manifests that clients read, and a README that says what is true."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from recontact_mcp.boundary import CALL_SECONDS
from recontact_tools.guardrails import IDS_PER_TARGET_GROUP
from recontact_tools.identifiers import FILE_BYTES_MAX, INLINE_IDS_MAX, RAW_BYTES_MAX
from recontact_tools.models import JobKind
from recontact_tools.schedule import eta

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def load(path: str) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_json(name: str) -> dict[str, Any]:
    """Read a JSON object beside the README."""
    found: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def test_one_version_everywhere(project: dict[str, Any]) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)

    assert newest is not None
    assert {read_json("plugin.json")["version"], newest[1], version("recontact-mcp")} == {project["version"]}


def test_the_plugin_manifest_says_what_the_project_says(project: dict[str, Any]) -> None:
    manifest = read_json("plugin.json")

    # source: agent-plugins.org/schemas/1.0.0/plugin.schema.json, a closed schema
    assert manifest["$schema"] == "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json"
    assert manifest.keys() <= {
        "$schema", "name", "version", "description", "author", "homepage", "repository", "license", "keywords",
        "extensions",
    }  # fmt: skip
    fields = ("name", "description", "license", "keywords")
    assert {field: manifest[field] for field in fields} == {field: project[field] for field in fields}


def test_mcp_json_starts_the_embedded_service_from_the_root_of_the_checkout() -> None:
    # source: agent-plugins.org/schemas/1.0.0/mcp.schema.json, a closed schema
    assert read_json("mcp.json") == {
        "$schema": "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json",
        "mcpServers": {
            "recontact": {
                "type": "stdio",
                "command": "python3",
                "args": ["run.py", "serve"],
                "env": {"RECONTACT_UPLOAD_ROOTS": "~/recontacts"},
            }
        },
    }


def test_what_mcp_json_starts_answers_both_eras(tmp_path: Path, project: dict[str, Any]) -> None:
    entry = read_json("mcp.json")["mcpServers"]["recontact"]
    command = [entry["command"], *entry["args"]]
    # A .venv that run.py did not fill is somebody's own: installing into it from a test would be a surprise.
    if not load("run.py").installed():
        command = [sys.executable, "-m", "recontact_mcp", "serve"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **entry["env"]}
    found, names = load("tests/packaging/drive_stdio.py").drive(command, cwd=str(ROOT), env=env)

    assert found == project["version"]
    rows = re.findall(r"^\| `([a-z_]+)` \| (adds|reads|removes|stops)", README, re.MULTILINE)
    assert names == [row[0] for row in rows]


def test_the_tables_of_the_readme_are_those_of_the_program() -> None:
    check = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert (check.returncode, check.stderr) == (0, "")


def test_a_page_that_does_not_say_what_was_measured_is_stale(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    recorded = json.loads((ROOT / "bench" / "recorded.json").read_text("utf-8"))
    recorded["parts"]["preflight"]["rows"][0]["measured"] = "another figure"
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "recorded.json").write_text(json.dumps(recorded), "utf-8")
    command = [sys.executable, "docs/generate.py", "--check"]
    check = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)

    assert check.returncode == 1
    assert check.stderr.splitlines() == ["docs/performance.md is stale: run `python3 run.py docs` (or `make docs`)"]


def test_the_page_of_figures_says_when_and_where_they_were_measured() -> None:
    page = (ROOT / "docs" / "performance.md").read_text("utf-8")

    assert re.search(r"Measured on 20\d\d-\d\d-\d\d with recontact-mcp .* Python 3.* processors", page, re.DOTALL)


def test_the_readme_shows_a_demo_that_went_to_its_end() -> None:
    shown = load("docs/generate.py").block("demo").search(README)

    assert shown is not None
    for part in ("upload_recontacts", "JOB_RUNNING", "Completed", "REMOVE 10000 FROM"):
        assert part in shown[0]


def test_the_readme_begins_with_the_two_commands() -> None:
    commands = re.search(r"```sh\n(.*?)```", README, re.DOTALL)

    assert commands is not None
    assert commands[1].splitlines()[-2:] == ["python3 run.py demo", "python3 run.py test"]


def test_the_snippets_of_the_readme_are_json() -> None:
    snippets = re.findall(r"```json\n(.*?)```", README, re.DOTALL)

    assert [list(json.loads(snippet)) for snippet in snippets] == [["inputs", "servers"], ["mcpServers"]]


def test_the_links_of_the_readme_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)", README, re.MULTILINE)
    }
    local = [target for target in targets if not target.startswith("https://")]

    assert [
        target
        for target in local
        if not (target[1:] in headings if target.startswith("#") else (ROOT / target).is_file())
    ] == []


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")

    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_limits_of_the_readme_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| (?:the API|recontact-mcp) \|$", README, re.MULTILINE))
    upload, removal = eta(JobKind.UPLOAD, 10_000, pace=1.0), eta(JobKind.REMOVAL, 10_000, pace=1.0)

    assert rows == {
        "IDs stored in a target group": f"{IDS_PER_TARGET_GROUP:,}",
        "File that is sent": f"less than {FILE_BYTES_MAX:,} bytes",
        "Jobs at a time on a target group": "1",
        "Upload of 10,000 IDs at Cint": f"{upload.low // 60} to {upload.high // 60} minutes",
        "Removal of 10,000 IDs at Cint": f"{removal.low // 60} to {removal.high // 60} minutes",
        "IDs listed on a page": "1 to 100",
        "IDs given inline (`ids`)": f"{INLINE_IDS_MAX:,}",
        "File that is read, with all its columns": f"{RAW_BYTES_MAX:,} bytes",
        "One call of a tool": "under 60 seconds, besides the time a person is asked",
    }
    assert CALL_SECONDS < 60
