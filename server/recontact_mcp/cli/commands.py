"""The list of commands, and what all of them share."""

from importlib.metadata import version
from typing import Annotated

import typer

from recontact_mcp.cli.approve import approve
from recontact_mcp.cli.audit import audit
from recontact_mcp.cli.check import check
from recontact_mcp.cli.demo import demo
from recontact_mcp.cli.doctor import doctor
from recontact_mcp.cli.explain import explain
from recontact_mcp.cli.jobs import jobs
from recontact_mcp.cli.receipt import receipt
from recontact_mcp.cli.restore import restore
from recontact_mcp.cli.serve import serve
from recontact_mcp.cli.service import service
from recontact_mcp.cli.snapshots import snapshots

app = typer.Typer(
    name="recontact-mcp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without any argument, MCP is served over stdio: that is what an assistant's configuration runs.",
)
app.command(rich_help_panel="Try it")(demo)
app.command(rich_help_panel="Try it")(check)
app.command(rich_help_panel="Try it")(doctor)
app.command(rich_help_panel="Try it")(explain)
app.command(rich_help_panel="See and undo")(jobs)
app.command(rich_help_panel="See and undo")(approve)
app.add_typer(snapshots, rich_help_panel="See and undo")
app.command(rich_help_panel="See and undo")(restore)
app.command(rich_help_panel="Run it")(serve)
app.command(rich_help_panel="Run it")(audit)
app.add_typer(receipt, rich_help_panel="Run it")
app.add_typer(service, rich_help_panel="Run it")


def _show_version(wanted: bool) -> None:  # noqa: FBT001 (the signature is typer's)
    if wanted:
        typer.echo(f"recontact-mcp {version('recontact-mcp')}")
        raise typer.Exit


@app.callback()
def describe(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Let an AI assistant manage recontacts on the Cint Exchange, safely.

    Without credentials everything runs against an embedded service on this machine: nothing leaves it.
    """


def main() -> None:
    """Run the command line."""
    app()
