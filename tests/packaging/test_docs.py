"""The pages in docs: what they tell people to type exists, and what they link to is there."""

import json
import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from recontact_mcp.cli.commands import app
from recontact_mcp.scopes import Scope
from recontact_mcp.settings import Settings, variable
from recontact_tools.catalog import catalog
from recontact_tools.error_codes import EXPLANATIONS
from recontact_tools.errors import ErrorCode
from recontact_tools.settling import OUTAGE_WAITED_OUT, count_looks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Read by others: the proxies of httpx, and what the command line reads itself.
OTHER_VARIABLES = {"RECONTACT_CONFIG", "RECONTACT_SERVICE_SECRET"}
BEGINNINGS = {"RECONTACT_ALLOWED_"}


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def typed_in(text: str) -> list[list[str]]:
    """Return the words of every call of recontact-mcp in code, without placeholders and comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    calls = [*lines, *re.findall(r"`([^`\n]+)`", text)]
    found = [re.search(r"(?:^|\s)recontact-mcp (?!\.\.\.)(.*)", call) for call in calls]
    return [shlex.split(match[1], comments=True) for match in found if match]


def unknown_words(words: list[str]) -> list[str]:
    """Return the options, and the command, that the command line does not have."""
    group: object = typer.main.get_group(app)
    options = {"--help", "--version"}
    strange: list[str] = []
    for word in words:
        if word.startswith("--"):
            strange += [] if word.split("=")[0] in options else [word]
        elif isinstance(group, TyperGroup) and re.fullmatch("[a-z]+", word):
            group = group.commands.get(word)
            if group is None:
                return [*strange, word]
            options |= {option for parameter in group.params for option in parameter.opts}
    return strange


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_of_a_page_exists(page: Path) -> None:
    assert {" ".join(words): strange for words in typed_in(text_of(page)) if (strange := unknown_words(words))} == {}


def test_the_guide_shows_the_commands_that_it_is_about() -> None:
    commands = {words[0] for words in typed_in(text_of(ROOT / "docs" / "cint.md"))}
    assert {"doctor", "check", "service"} <= commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_of_a_page_is_a_setting(page: Path) -> None:
    known = {*map(variable, Settings.model_fields), *OTHER_VARIABLES, *BEGINNINGS}
    assert set(re.findall(r"\b(?:CINT|RECONTACT)_[A-Z_]+\b", text_of(page))) - known - {"RECONTACT_RSID"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.is_file() or (heading and heading not in headings(text_of(target))):
            dead.append(link)
    assert dead == []


def headings(text: str) -> set[str]:
    found = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in found}


def test_the_guide_names_every_tool_of_the_workflow_and_no_other() -> None:
    guide = text_of(ROOT / "docs" / "cint.md")
    names = {operation.name for operation in catalog(local_files=True)}
    assert names - {"get_removal_job"} <= set(re.findall(r"`([a-z_]+)`", guide))
    tools = {
        word for word in re.findall(r"`([a-z]+_[a-z_]+)`", guide) if word.split("_")[0] in {"get", "list", "upload"}
    }
    assert tools <= names


def test_the_guide_makes_the_folder_for_uploads_before_it_names_it_in_a_setting() -> None:
    guide = text_of(ROOT / "docs" / "cint.md")
    named = re.search(r'"RECONTACT_UPLOAD_ROOTS": "([^"]+)"', guide)
    assert named is not None
    assert f"\nmkdir -p {named[1]}\n" in guide[: named.start()]


def test_the_guide_says_how_long_a_lost_answer_is_looked_for_where_no_jobs_are_listed() -> None:
    guide = text_of(ROOT / "docs" / "cint.md")
    last = {ids: round(count_looks(ids, pace=1.0)[-1] / 60) for ids in (1, 10_000, 100_000)}
    assert last[1] == last[10_000]
    assert timedelta(hours=1) == OUTAGE_WAITED_OUT
    assert f"{last[10_000]} minutes for each 10,000 IDs" in guide
    assert f"{last[100_000]} minutes for 100,000 IDs), and up to an hour more" in guide
    assert "still awaited or being looked for" in guide


@pytest.mark.parametrize("page", ["cint.md", "errors.md", "clients.md"])
def test_every_code_that_a_page_names_exists(page: str) -> None:
    words = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text_of(ROOT / "docs" / page)))
    known = {code.value for code in ErrorCode} | set(map(variable, Settings.model_fields)) | {"HTTPS_PROXY", "NO_PROXY"}
    assert words <= known


def test_every_code_has_a_cause_and_a_cure_and_no_other_code_has() -> None:
    assert set(EXPLANATIONS) == set(ErrorCode)
    for code, explanation in EXPLANATIONS.items():
        assert explanation.cause.strip().endswith((".", ")")), code
        assert explanation.cure.strip().endswith("."), code


def test_the_page_of_errors_lists_every_code_once() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", text_of(ROOT / "docs" / "errors.md"), re.MULTILINE)
    assert listed == [code.value for code in ErrorCode]


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    assert unknown_words(["service", "seeds", "X"]) == ["seeds"]
    assert unknown_words(["service", "--paces", "1"]) == ["--paces"]
    assert unknown_words(["doctor", "--target-group", "X", "--json"]) == []
    assert unknown_words(["doctors"]) == ["doctors"]
    assert typed_in("```sh\nrecontact-mcp service seed X --state launched # y\n```") == [
        ["service", "seed", "X", "--state", "launched"]
    ]


def test_the_pages_show_a_client_over_http_and_every_scope_that_it_may_ask_for() -> None:
    page = text_of(ROOT / "docs" / "clients.md")
    examples = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    servers = [one.get("servers") or one["mcpServers"] for one in examples]
    url = "https://recontact.example.com/mcp"
    assert servers == [{"recontact": {"type": "http", "url": url}}] * 2
    assert f"claude mcp add --transport http recontact {url}\n" in page
    assert [scope for scope in Scope if f"`{scope}`" not in page] == []


def test_every_picture_of_the_documentation_is_on_a_page() -> None:
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+\.png)", text_of(page))}
    assert {file.name for file in (ROOT / "docs" / "images").glob("*.png")} == shown
