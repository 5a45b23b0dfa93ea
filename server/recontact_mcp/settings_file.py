"""The files that may hold settings: one in TOML, and one with the client secret alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from recontact_mcp.settings_private import Content, content

Raw: TypeAlias = "str | int | float | bool | list[Raw] | dict[str, Raw]"

# ours: client secrets have some 64 characters.
SECRET_CHARACTERS_MAX = 1_024


# Some may also stand alone in a file, which the setting of its name and `_file` names.
_SECRETS = frozenset(
    {"cint_client_secret", "approval_client_secret", "auth_client_secret", "snapshot_key", "state_key"}
)
# These may hold a secret where they have one of the characters: the proxy's beside its user, the database's there or in
# what follows `?`, where libpq takes a password under several names, also written %70assword.
_URLS = {"cint_proxy": "@", "database_url": "@?"}
SECRETS = _SECRETS | frozenset(_URLS)


class SettingsError(Exception):
    """The settings do not fit together; *problems* has one line each and never a secret's value."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def file_values(path: Path, *, required: bool) -> dict[str, Raw]:
    """Read the settings of a TOML file; a file that need not exist may be missing.

    Raises:
        SettingsError: The file is missing although it was named, cannot be read, is not TOML, or holds a secret
            that others can read.
    """
    try:
        found = content(path.expanduser())
        text = found.data.decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if required:
            raise SettingsError(("RECONTACT_CONFIG: there is no such file.",)) from None
        return {}
    except (OSError, UnicodeDecodeError, RuntimeError):
        raise SettingsError(("The TOML file with the settings cannot be read.",)) from None
    values = _parsed(text)
    if found.exposed and _hold_a_secret(values):
        raise SettingsError((f"The TOML file holds a secret and {found.exposed}.",))
    return values


def _parsed(text: str) -> dict[str, Raw]:
    # Imported here: most starts have no file.
    import tomllib  # noqa: PLC0415 (the reason is the line above)

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise SettingsError(("The file with the settings is not TOML.",)) from None


def _hold_a_secret(values: Mapping[str, Raw]) -> bool:
    return bool(_SECRETS & values.keys()) or any(
        not set(marks).isdisjoint(str(values.get(name, ""))) for name, marks in _URLS.items()
    )


def secret_in(path: Path, name: str = "CINT_CLIENT_SECRET_FILE") -> str:
    """Read a secret from a file that holds nothing else; line ends after it are left out.

    *name* is the variable that names the file.

    Raises:
        SettingsError: The file is missing or too large, holds something else, or can be read by others. Its path
            is told only where there is a file: the secret itself may have been given in place of a path.
    """
    try:
        found = content(path.expanduser())
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError((f"{name}: there is no such file.",)) from None
    except (OSError, ValueError, RuntimeError):  # the last two: a name that no file, and no user, can have
        raise SettingsError((f"{name}: not a file that can be read and holds only the secret.",)) from None
    if found.exposed:
        raise SettingsError((f"{name}: the file {found.exposed}.",))
    return _only_secret(found, name)


def _only_secret(found: Content, name: str) -> str:
    text = found.data.decode("latin-1").rstrip("\r\n")
    # Visible ASCII: a byte order mark, a blank or a second line would be sent along and refused as a wrong secret.
    if not text or len(text) > SECRET_CHARACTERS_MAX or not all("!" <= character <= "~" for character in text):
        raise SettingsError((f"{name}: one line is expected, with the secret and nothing else.",))
    return text
