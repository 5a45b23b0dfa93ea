"""`recontact-mcp doctor`: is everything set up, and if not, what to do."""

import os
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import anyio
import typer
from rich.markup import escape

from recontact_mcp.access_source import callers_for
from recontact_mcp.cli import doctor_checks as look
from recontact_mcp.cli.console import person, titled, write_json
from recontact_mcp.cli.doctor_api import examine_api
from recontact_mcp.cli.doctor_database import database, shared_key
from recontact_mcp.cli.doctor_remote import remote
from recontact_mcp.cli.doctor_traces import traces
from recontact_mcp.cli.findings import Finding
from recontact_mcp.decided import policy_of
from recontact_mcp.logs import configure
from recontact_mcp.settings import Settings, SettingsError, load_settings, variable
from recontact_tools.errors import InvalidInput
from recontact_tools.guardrails.pasted import Pasted, read_pasted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcp_types import Tool
    from rich.console import Console
    from rich.table import Table

    from recontact_tools.errors import Detail

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def doctor(
    *,
    target_group: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="A target group to look at as well: its id, or its Cint URL.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write only JSON.")] = False,
) -> None:
    """Check the set-up: settings, data directory, every stage of the way to the API, upload roots, and the tools.

    No recontact is touched and no secret is shown. The exit code is 1 if something must be mended. Without
    --target-group, the one that a job was started for last is looked at.
    """
    try:
        settings, named = load_settings(), read_pasted(target_group) if target_group else None
        callers_for(settings, policy_of(settings), asked_over_http=True)
    except SettingsError as error:
        _refuse([Finding("Settings", "fail", problem, "Correct this setting.") for problem in error.problems], as_json)
    except InvalidInput as error:
        _refuse(
            [Finding("--target-group", "fail", error.message, "Give its 26 letters and digits, or its URL.")], as_json
        )
    configure("WARNING", settings.log_format)
    _conclude(settings, _examined(settings, named, quiet=as_json), as_json=as_json)


def _refuse(findings: "list[Finding]", as_json: bool) -> NoReturn:  # noqa: FBT001 (the command's own option)
    _report(None, findings, (), as_json=as_json)
    raise typer.Exit(1) from None


def _examined(settings: Settings, named: Pasted | None, *, quiet: bool) -> "tuple[list[Finding], list[Tool]]":
    if quiet:
        return anyio.run(examine, settings, named)
    with person().status("Looking ..."):
        return anyio.run(examine, settings, named)


def _conclude(settings: Settings, seen: "tuple[list[Finding], list[Tool]]", *, as_json: bool) -> None:
    """Show the report.

    Raises:
        typer.Exit: With code 1, if something must be mended.
    """
    findings, tools = seen
    _report(settings, findings, tools, as_json=as_json)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


async def examine(settings: Settings, named: Pasted | None = None) -> "tuple[list[Finding], list[Tool]]":
    """Make every look; the API is only asked where the data directory can be used."""
    findings = [
        Finding("Settings", "ok", "fit together"),
        *look.strange_variables(),
        look.data_directory(settings.data_dir),
        *look.databases(settings.data_dir),
        *await database(settings),
    ]
    usable = all(finding.state != "fail" for finding in findings)
    findings += await examine_api(settings, named, usable=usable)
    findings += [look.defaults(settings), *look.upload_roots(settings)]
    findings += [await look.changes(settings, usable=usable), *look.permissions(settings)]
    findings += [*await shared_key(settings), *await remote(settings), *await traces(os.environ)]
    tools = await look.tools(settings)
    findings.append(Finding("Tools", "ok", f"{len(tools)} visible to a client"))
    return findings, tools


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return every setting as a person may see it: secrets are only said to be set."""
    return {variable(name): _shown(getattr(settings, name)) for name in Settings.model_fields}


def _shown(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, cast("Iterable[object]", value)))) or "none"
    # A pydantic secret prints itself as stars.
    return str(value)


def _report(
    settings: Settings | None, findings: "Sequence[Finding]", tools: "Sequence[Tool]", *, as_json: bool
) -> None:
    if as_json:
        write_json(_as_dict(settings, findings, tools))
        return
    console = person()
    if settings:
        table = titled("Settings", "Setting", "Value")
        for name, value in shown_settings(settings).items():
            table.add_row(name, escape(value), style="dim" if value in {"unset", "none"} else None)
        console.print(table)
    if tools:
        console.print(_tools_table(tools))
    _print_findings(console, findings)


def _print_findings(console: "Console", findings: "Sequence[Finding]") -> None:
    table = titled("Health", "", "Looked at", "Seen", "What to do")
    for finding in findings:
        state = f"[{STYLES[finding.state]}]{finding.state}[/]"
        table.add_row(state, finding.name, escape(finding.seen), escape(finding.cure or ""))
    console.print(table)


def hints(tool: "Tool") -> dict[str, bool]:
    """Return what a tool declares about its effects."""
    declared = tool.annotations
    return {
        "reads only": bool(declared and declared.read_only_hint),
        "destroys": bool(declared and declared.destructive_hint),
        "repeatable": bool(declared and declared.idempotent_hint),
    }


def _tools_table(tools: "Sequence[Tool]") -> "Table":
    table = titled("Tools", "Tool", "What it does", "Declares")
    for tool in tools:
        declared = ", ".join(hint for hint, holds in hints(tool).items() if holds) or "changes"
        table.add_row(tool.name, tool.title or "", declared)
    return table


def _as_dict(settings: Settings | None, findings: "Sequence[Finding]", tools: "Sequence[Tool]") -> "dict[str, Detail]":
    return {
        "ok": all(finding.state != "fail" for finding in findings),
        "checks": [{"name": one.name, "state": one.state, "seen": one.seen, "cure": one.cure} for one in findings],
        "settings": dict[str, "Detail"](shown_settings(settings)) if settings else {},
        "tools": [{"name": tool.name, "hints": dict[str, "Detail"](hints(tool))} for tool in tools],
    }
