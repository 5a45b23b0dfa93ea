"""The command line: one module for each command; only this package imports typer and rich."""

from recontact_mcp.cli.commands import main

__all__ = ["main"]
