"""`recontact-mcp service`: the Recontacts API itself, standing alone on this machine."""

# Imports stand inside the functions that need them: `--help` does not pay for the service.
# ruff: noqa: PLC0415

import json
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer
from pydantic import SecretStr
from rich.panel import Panel

from recontact_mcp.cli.console import person, stop
from recontact_mcp.cli.service_database import Database, DatabaseUrl, database_of, stopping
from recontact_mcp.settings import EMBEDDED_ACCOUNT_ID, EMBEDDED_PROJECT_ID, secret_from
from recontact_service.settings import TOKEN_SECONDS
from recontact_service.values import TargetGroupState
from recontact_tools.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Generator

    from recontact_service.settings import ServiceSettings
    from recontact_service.values import Json

SECRET_VARIABLE = "RECONTACT_SERVICE_SECRET"  # noqa: S105 (the name of a variable, not its value)

service = typer.Typer(name="service", invoke_without_command=True, rich_markup_mode="markdown")


@service.callback()
def run(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address; this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65_535)] = 8764,
    pace: Annotated[
        float, typer.Option(help="0 is full speed, 1 the documented times of the API (10,000 in 12 minutes).", min=0)
    ] = 0.0,
    database: Database = None,
    database_url: DatabaseUrl = None,
    client_id: Annotated[str, typer.Option(help="OAuth client id that gets tokens.")] = "sandbox",
    client_secret_from_env: Annotated[
        str, typer.Option(metavar="VARIABLE", help="Where its secret is; unset: one is made and shown.")
    ] = SECRET_VARIABLE,
    token_seconds: Annotated[
        int, typer.Option(help="How long a token lasts; few seconds rehearse a client that renews them.", min=1)
    ] = TOKEN_SECONDS,
    faults: Annotated[bool, typer.Option("--faults", help="Let tests script faults: POST /_service/faults.")] = False,
) -> None:
    """Run the Recontacts API on this machine: a sandbox for any client, with jobs that really run.

    It keeps its data, and continues its jobs after a restart. `service seed` adds target groups to it.
    """
    if context.invoked_subcommand is not None:
        return
    if not is_loopback(host):
        stop("Only this machine can be served: the traffic is not encrypted.", cure="Use --host 127.0.0.1.", code=2)
    from recontact_service.settings import ServiceSettings

    given = secret_from(client_secret_from_env)
    secret = given or SecretStr(secrets.token_urlsafe(24))
    settings = ServiceSettings(
        database=database_of(database, database_url),
        pace=pace,
        token_seconds=token_seconds,
        clients={client_id: secret.get_secret_value()},
        faults_endpoint=faults,
    )
    _serve(settings, host, port, shown=None if given else secret)


@service.command()
def seed(
    target_group_id: Annotated[str, typer.Argument(help="26 digits and upper-case letters.", show_default=False)],
    *,
    account_id: Annotated[int, typer.Option(help="Account of the target group.", min=1)] = EMBEDDED_ACCOUNT_ID,
    project_id: Annotated[str, typer.Option(help="Project of the target group.")] = EMBEDDED_PROJECT_ID,
    state: Annotated[TargetGroupState, typer.Option(help="Before or after its launch.")] = TargetGroupState.DRAFT,
    fields: Annotated[
        str, typer.Option(metavar="JSON", help='Fields that its reads show, such as {"completes_goal": 200}.')
    ] = "{}",
    excluded_file: Annotated[
        Path | None,
        typer.Option(help="RSIDs that may not enter, one a line, instead of those it has.", show_default=False),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Take it from another account or project, if it is there.")
    ] = False,
    database: Database = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Create a target group, or change what its reads show; stored recontacts stay.

    A running service sees it at once.
    """
    from recontact_service.seed import seed as put

    named = database_of(database, database_url)
    with _refusing("seeded"):
        put(
            named,
            now=lambda: datetime.now(UTC),
            target_group_id=target_group_id,
            account_id=account_id,
            project_id=project_id,
            state=state,
            fields=_fields(fields),
            excluded=_read(excluded_file) if excluded_file else None,
            move=move,
        )
    person().print(f"Target group {target_group_id} of account {account_id} is there ({state.value}).")


@service.command()
def rids(
    file: Annotated[Path, typer.Argument(help="CSV with the columns RID and RSID.", show_default=False)],
    *,
    database: Database = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Tell the service whose responses RIDs are, so that uploads of RIDs find their respondents.

    Pairs that it knows already stay; a running service sees the new ones at once.
    """
    from recontact_service.seed import map_responses

    named = database_of(database, database_url)
    with _refusing("loaded"):
        count = map_responses(named, _read(file))
    person().print(f"The respondents of {count:,} RIDs are known.")


@contextmanager
def _refusing(done: str) -> "Generator[None]":
    with stopping():
        try:
            yield
        except ValueError as error:
            stop(f"Nothing was {done}: {error}.", code=2)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise ValueError("the file cannot be read") from None


def _fields(text: str) -> "dict[str, Json]":
    try:
        found: Json = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ValueError("--fields takes a JSON object")  # noqa: TRY004 (one refusal for every bad text)
    return found


def _show(url: str, client_id: str, secret: str) -> None:
    lines = (
        f"CINT_BASE_URL={url}/v1",
        f"CINT_AUTH_URL={url}/oauth/token",
        f"CINT_CLIENT_ID={client_id}",
        f"CINT_CLIENT_SECRET={secret}",
    )
    text = "\n".join(lines)
    person().print(Panel(text, title="The Recontacts API is running", subtitle="Stop with Ctrl-C", expand=False))


def _serve(settings: "ServiceSettings", host: str, port: int, *, shown: SecretStr | None) -> None:
    from recontact_service.serve import serve

    (client_id,) = settings.clients

    def ready(host: str, port: int) -> None:
        secret = shown.get_secret_value() if shown else "the secret you gave"
        _show(f"http://{f'[{host}]' if ':' in host else host}:{port}", client_id, secret)

    refused = False
    try:
        with stopping():
            anyio.run(lambda: serve(settings, host, port, ready=ready))
    # Tested; but CPython 3.11 traces no more lines of a frame after an event loop ran in it.
    except* KeyboardInterrupt:  # pragma: no cover (the line above)
        pass
    except* SystemExit:
        # uvicorn's word for an address it cannot have, after a line of its own about why.
        refused = True
    if refused:
        stop(f"Port {port} on {host} cannot be used.", cure="Choose another one with --port, or 0 for any.")
