"""`recontact-mcp receipt`: the signed records of approvals, and checking one without this server."""

# Imports stand inside the functions that need them: `--help` does not pay for the ledger.
# ruff: noqa: PLC0415

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recontact_mcp.cli.console import settings_or_stop, stop, write_json
from recontact_mcp.cli.records import KEY_CURE, LOOK_CURE, place_of, with_ledger

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings
    from recontact_tools.ledger import Ledger
    from recontact_tools.sealing import Seal

receipt = typer.Typer(
    name="receipt", no_args_is_help=True, help="Show the signed receipt of an approval, or check one anywhere."
)
# ours: a receipt has some 700 bytes.
BYTES_MAX = 65_536


@receipt.command()
def show(plan: Annotated[str, typer.Argument(help="The plan's id, as the audit trail has it.")]) -> None:
    """Print the receipt of a plan that was approved outside the client, as JSON in one line."""

    async def read(ledger: "Ledger") -> str | None:
        found = await ledger.approvals.of_plan(plan)
        return None if found is None else found.receipt

    nothing: str | None = None
    settings = settings_or_stop()
    text = with_ledger(settings, read, otherwise=nothing)
    if text is None:
        said = f"There is no receipt of such a plan in {place_of(settings)}."
        stop(said, cure="Ids of plans are in `recontact-mcp audit`; only what was approved outside the client has one.")
    typer.echo(text)


@receipt.command()
def key() -> None:
    """Print the public key that receipts are checked with; give it to whoever is to check them.

    It is derived from the key of the snapshots, which has to be the servers' own.
    """
    from recontact_mcp.decided import held_seal_of
    from recontact_tools.receipts import public_key_of
    from recontact_tools.sealing import KeyUnusable

    settings = settings_or_stop()
    seal = held_seal_of(settings)
    try:
        if settings.database_url is not None and _is_another(settings, seal):
            stop("The servers on this database have another key than this command.", cure=KEY_CURE)
        typer.echo(public_key_of(seal))
    except (KeyUnusable, OSError):
        stop("The key of the receipts is not here, or cannot be used.", cure=KEY_CURE)


def _is_another(settings: "Settings", seal: "Seal") -> bool:
    """Tell whether the servers on the database are known to have another key."""
    from recontact_mcp.storage import reading
    from recontact_tools.ledger import LedgerFault
    from recontact_tools.ledger.faults import NoLedger
    from recontact_tools.shared_key import has_another_key

    try:
        with reading(settings) as connection:
            return has_another_key(connection, seal) is True
    except NoLedger:
        return False
    except LedgerFault as fault:
        stop(f"The ledger cannot be used: {fault}.", cure=LOOK_CURE)


@receipt.command()
def check(
    file: Annotated[Path, typer.Argument(help="File with the receipt.", exists=True, dir_okay=False, readable=True)],
    *,
    key: Annotated[str, typer.Option("--key", help="The public key, from `recontact-mcp receipt key`.")],
) -> None:
    """Check that a receipt was signed with a key, and print what it says; the exit code is 1 if it was not."""
    from recontact_tools.receipts import ReceiptBroken, check_receipt, digest_of

    with file.open("rb") as opened:
        text = opened.read(BYTES_MAX).decode("utf-8", errors="replace").strip()
    try:
        said = check_receipt(text, key.strip())
    except ReceiptBroken:
        stop("This is no receipt, was changed, or was signed with another key.")
    write_json({**said, "digest": digest_of(text)})
