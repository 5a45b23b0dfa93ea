"""How one value of the settings is read: pure functions from what was written to what is meant."""

import json
import os
import re
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import AfterValidator, SecretStr

from recontact_tools.sealing import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

# source: cint-recontacts-openapi.yml, parameters project_id and target_group_id
_ULID = re.compile(r"[0-9A-Z]{26}")


def ulid(value: str) -> str:
    """Return a ULID in upper case; refuse anything else."""
    if not _ULID.fullmatch(wanted := value.strip().upper()):
        raise ValueError("not a ULID: 26 letters and digits are expected")
    return wanted


def ulids(value: object) -> object:
    """Read a list of ULIDs, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    return value if entries is None else frozenset(ulid(str(entry)) for entry in entries)


def account_ids(value: object) -> object:
    """Read a list of account ids, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    if entries is None:
        return value
    texts = [str(entry) for entry in entries]
    if not all(text.isascii() and text.isdigit() for text in texts):
        raise ValueError("not a list of account ids: whole numbers separated by commas are expected")
    return frozenset(int(text) for text in texts)


def roots(value: object) -> object:
    """Read a list of directories, or a string of them separated by the system's path separator."""
    entries = entries_of(value, os.pathsep)
    return value if entries is None else tuple(dict.fromkeys(_root(str(entry)) for entry in entries))


def _root(entry: str) -> Path:
    path = _expanded(Path(entry))
    # The working directory of a stdio server is whatever its host had: a relative root could mean anything.
    if not path.is_absolute():
        raise ValueError("every directory must be absolute or begin with ~")
    if path == Path(path.anchor):
        raise ValueError("the root of a disk is too wide: name the directories with identifier files")
    return path


def absolute(path: Path) -> Path:
    """Return a path with `~` expanded and made absolute."""
    return _expanded(path).absolute()


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ cannot be expanded: no such user") from None


def existing_file(path: Path) -> Path:
    """Return a path as `absolute` does; refuse one where no file is."""
    found = absolute(path)
    try:
        there = found.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ValueError("there is no such file")
    return found


def upper(value: object) -> object:
    """Return a text in upper case and anything else as it is."""
    return value.upper() if isinstance(value, str) else value


def names(value: object) -> object:
    """Read a list of words, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    return value if entries is None else tuple(dict.fromkeys(str(entry) for entry in entries))


SecretFile = Annotated[Path, AfterValidator(absolute)] | None


def secret_file(variable: str) -> str:
    """Return the description of a setting that names the file of a secret."""
    return (
        f"File with nothing but the value of `{variable}`, in place of that. It must be yours, and closed to everybody"
        " else (`chmod 600`)."
    )


def key_bytes(value: str) -> bytes:
    """Return the 32 bytes of a key that is written in base64.

    Raises:
        ValueError: It is no such key.
    """
    try:
        key = b64decode(value.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("not a key: 32 random bytes in base64 are expected (openssl rand -base64 32)")
    return key


def sealing_key(value: SecretStr) -> SecretStr:
    """Accept a key of the snapshots."""
    key_bytes(value.get_secret_value())
    return value


def words(value: object) -> object:
    """Read a list of words, or a string of them: separated by commas, or as JSON where a comma stands in one."""
    entries = _from_json(value) if isinstance(value, str) and value.startswith("[") else entries_of(value, ",")
    return value if entries is None else frozenset(str(entry) for entry in entries)


def _from_json(text: str) -> list[object]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    entries = cast("list[object]", found) if isinstance(found, list) else []
    if not entries or not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError('not a list: ["one", "another"] is expected')
    return entries


def principals(value: frozenset[str]) -> frozenset[str]:
    """Return principals; refuse what can be none: a subject alone would never be anybody's."""
    for one in value:
        issuer, _, subject = one.partition("#")
        if "://" not in issuer or not subject:
            raise ValueError("not a list of principals: issuer#subject, separated by commas, is expected")
    return value


def keys(value: SecretStr) -> SecretStr:
    """Accept one key, or several that are separated by commas; each only once."""
    found = [key_bytes(key) for key in value.get_secret_value().split(",")]
    if len(found) != len(set(found)):
        raise ValueError("each key may be given once only")
    return value


def entries_of(value: object, separator: str) -> list[object] | None:
    """Return the entries of a list, or of a text that separates them; None for anything else."""
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(separator) if entry.strip()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(cast("Iterable[object]", value))
    return None
