"""The settings are read once, from the environment and one TOML file, and from nowhere else."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr, ValidationError

from recontact_mcp.settings_cint import EMBEDDED_ACCOUNT_ID, EMBEDDED_PROJECT_ID
from recontact_mcp.settings_file import SECRETS, Raw, SettingsError, file_values, secret_in
from recontact_mcp.settings_model import Settings, default_data_dir, variable

__all__ = [
    "EMBEDDED_ACCOUNT_ID",
    "EMBEDDED_PROJECT_ID",
    "Settings",
    "SettingsError",
    "default_data_dir",
    "load_settings",
    "secret_from",
    "unfamiliar",
    "variable",
]

# An empty allow-list allows nothing; every other empty variable is one that a host left blank.
EMPTY_IS_A_VALUE = frozenset({"allowed_accounts", "allowed_projects", "allowed_target_groups"})
FILE_NAME = "recontact.toml"
# Read elsewhere than into a field.
FURTHER_VARIABLES = ("RECONTACT_CONFIG", "RECONTACT_SERVICE_SECRET")
# ours: how alike two names must be, 0 to 1, for one to be a slip of the pen for the other.
ALIKE = 0.8


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; the environment wins over the TOML file.

    The file is the one that RECONTACT_CONFIG names, else `recontact.toml` in the data directory if it exists.

    Raises:
        SettingsError: A value is malformed, or two do not fit together.
    """
    _check_names(environ)
    from_environment = {
        name: value.strip()
        for name in Settings.model_fields
        if (value := environ.get(variable(name))) is not None and (value.strip() or name in EMPTY_IS_A_VALUE)
    }
    named = environ.get("RECONTACT_CONFIG")
    path = Path(named) if named else Path(from_environment.get("data_dir") or default_data_dir()) / FILE_NAME
    from_file = file_values(path, required=bool(named))
    told = {**from_file, **from_environment}
    for secret in sorted(SECRETS):
        ways = {secret, f"{secret}_file"}  # two ways to give one thing
        if ways & from_environment.keys():
            told = {name: value for name, value in told.items() if name not in ways - from_environment.keys()}
        told = _with_secret(told, secret)
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        raise SettingsError(_problems(error, from_file.keys() - from_environment.keys())) from None


def _with_secret(told: dict[str, Raw], secret: str) -> dict[str, Raw]:
    """Read a secret from its file, where one is named."""
    file = told.get(f"{secret}_file")
    if not isinstance(file, str) or not file.strip():
        return told
    if secret in told:
        one, other = variable(secret), variable(f"{secret}_file")
        raise SettingsError((f"{one} and {other} give the same secret: set only one.",))
    return {**told, secret: secret_in(Path(file.strip()), variable(f"{secret}_file"))}


def _check_names(environ: Mapping[str, str]) -> None:
    """Refuse a variable of ours that does not exist: a guard that is misspelt would stand open unnoticed."""
    known = [*map(variable, Settings.model_fields), *FURTHER_VARIABLES]
    unknown = sorted(name for name in environ if name.startswith("RECONTACT_") and name not in known)
    if unknown:
        raise SettingsError(tuple(_misspelt(name, known) for name in unknown))


def unfamiliar(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return what to say about variables that look like one of Cint's settings and are none.

    They are not refused, as ours are: other programs may have variables that begin like them.
    """
    # Imported here: only the doctor asks.
    from difflib import get_close_matches  # noqa: PLC0415 (the reason is the line above)

    known = [name for name in map(variable, Settings.model_fields) if name.startswith("CINT_")]
    strange = sorted(name for name in environ if name.startswith("CINT_") and name not in known)
    close = {name: get_close_matches(name, known, n=1, cutoff=ALIKE) for name in strange}
    return tuple(f"{name} is not read. Did you mean {found[0]}?" for name, found in close.items() if found)


def _misspelt(name: str, known: list[str]) -> str:
    # Imported here: a start whose settings fit does not pay for it.
    from difflib import get_close_matches  # noqa: PLC0415 (the reason is the line above)

    close = get_close_matches(name, known, n=1)
    return f"{name}: there is no such setting." + (f" Did you mean {close[0]}?" if close else "")


def secret_from(name: str, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """Read a secret from the environment variable of that name; None if it is unset or empty."""
    return SecretStr(value) if (value := environ.get(name, "").strip()) else None


def _problems(error: ValidationError, in_file: set[str]) -> tuple[str, ...]:
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        field = str(problem["loc"][0]) if problem["loc"] else ""
        where = f"{field} in the TOML file" if field in in_file else variable(field)
        lines.append(f"{where}: {message}" if field else message)
    return tuple(dict.fromkeys(lines))
