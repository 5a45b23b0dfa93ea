"""Where the secrets of further credentials come from: a private file, or a command that prints one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from pydantic import SecretStr

from recontact_mcp.connecting import connection_for
from recontact_mcp.settings_file import SECRET_CHARACTERS_MAX, SettingsError, secret_in
from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.gateway import Gateway

if TYPE_CHECKING:
    from recontact_mcp.access import Credentials
    from recontact_mcp.settings import Settings

# ours: what fetches a secret from a vault takes a second or two; a call that waits for it must still be answered.
COMMAND_SECONDS: Final = 10.0


def settings_as(settings: Settings, credentials: Credentials) -> Settings:
    """Return settings with other credentials; their secret is read when it is needed."""
    return settings.model_copy(update={"cint_client_id": credentials.client_id, "cint_client_secret": SecretStr("")})


def gateway_as(settings: Settings, credentials: Credentials) -> Gateway:
    """Return the way to Cint's API with other credentials than those of the settings."""
    connection = connection_for(settings_as(settings, credentials))
    return Gateway(replace(connection, secret_source=partial(secret_of, credentials)))


async def secret_of(credentials: Credentials, *, seconds: float = COMMAND_SECONDS) -> str:
    """Read the secret of credentials.

    Raises:
        Unreachable: It cannot be read; why is not told, for a client is no operator.
    """
    try:
        if credentials.secret_file is not None:
            return await anyio.to_thread.run_sync(secret_in, credentials.secret_file)
        return await _printed(credentials, seconds)
    except (SettingsError, OSError, TimeoutError, ValueError):
        raise Unreachable(
            "The credentials for your accounts cannot be read by this server; nothing was sent.",
            code=ErrorCode.UNAVAILABLE,
            next_step="Tell the user. The operator of this server has to look at the credentials in the access file.",
        ) from None


async def _printed(credentials: Credentials, seconds: float) -> str:
    """Return what a command prints: run without a shell, and stopped when its time is over.

    Raises:
        TimeoutError: It took too long.
        ValueError: It failed, or printed something else than one secret.
        OSError: It cannot be run.
    """
    with anyio.fail_after(seconds):
        done = await anyio.run_process(credentials.secret_command, check=False, stderr=None)
    text = done.stdout.decode("latin-1").rstrip("\r\n")
    fits = 0 < len(text) <= SECRET_CHARACTERS_MAX and all("!" <= character <= "~" for character in text)
    if done.returncode != 0 or not fits:
        raise ValueError("the command did not print a secret")
    return text
