"""Recognising identifiers in one cell or line, and naming what is none."""

import re

from recontact_tools.identifiers.respondent_file import Kind

DELIMITERS = ",;\t|"

_AROUND = " \t\n\r\f\v\u00a0\u200b\u2060\ufeff\"'`\u2018\u2019\u201c\u201d"
# 8-4-4-4-12 hex and nothing more: real ids break the version and variant bits of RFC 9562.
_HEX = "[0-9a-fA-F]"
_SHAPE = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_ID = re.compile(rf'(?:="+\s?)?(?i:urn:uuid:)?(?:({_SHAPE})|\{{\s?({_SHAPE})\s?\}})')
_ID_CELL_MIN = 36  # source: cint-api 2.9, RSID and RID are 36 characters
_ID_CELL_MAX = 60  # ours: an id with every decoration we accept has at most 52 characters
_PIECE = re.compile(r"[^\s,;|]+")
_NOT_ID_PIECES_MAX = 1_000  # ours: a line with so many foreign words before its first id is no list
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:[.,][0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_BARE_HEX = re.compile(rf"{_HEX}{{32}}")
_BROKEN_ID = re.compile(r"[0-9a-fA-F{}-]{16,}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")
_FORMULA_STARTS = ("=", "+", "-", "@")
_HEADER_CELL_MAX = 200  # ours: longer first lines are data gone wrong, not names
_LONGEST_BARE = 64  # ours: no number or bare hex id is longer


def id_in(cell: str) -> bytes | None:
    """Return the canonical lower-case id when the cell is one id, decorated or not."""
    if len(cell) < _ID_CELL_MIN:
        return None
    bare = cell.strip(_AROUND)
    if len(bare) > _ID_CELL_MAX:
        return None
    match = _ID.fullmatch(bare)
    return (match[1] or match[2]).lower().encode("ascii") if match else None


def ids_in(text: str) -> tuple[list[bytes], bool]:
    """Return the ids of a line or cell, and whether anything else stands beside them."""
    alone = id_in(text)
    if alone:
        return [alone], False
    ids: list[bytes] = []
    foreign = 0
    for piece in _PIECE.finditer(text):
        found = id_in(piece[0])
        if found:
            ids.append(found)
        elif piece[0].strip(_AROUND):
            foreign += 1
            if ids or foreign > _NOT_ID_PIECES_MAX:
                break
    return ids, foreign > 0


def kind_of(text: str) -> Kind:
    """Name what a line or cell without an id is."""
    bare = text.strip(_AROUND + DELIMITERS)
    if not bare:
        return "blank"
    if _CONTROL.search(text):
        return "not_text"
    if len(bare) <= _LONGEST_BARE and _NUMBER.fullmatch(bare):
        return "numeric"
    return _kind_of_word(bare)


def is_name(cell: str) -> bool:
    """Whether a cell without an id could be a column's name: some word, not a value gone wrong."""
    bare = cell.strip(_AROUND)
    if not 0 < len(bare) <= _HEADER_CELL_MAX or _BROKEN_ID.fullmatch(bare) or ids_in(bare)[0]:
        return False
    return kind_of(cell) == "malformed" and any(letter.isalpha() for letter in bare)


def bare(cell: str) -> str:
    """Strip spaces, quotes and invisible characters from a cell."""
    return cell.strip(_AROUND)


def _kind_of_word(bare: str) -> Kind:
    # A bare MD5 has this shape too, and people do hash e-mail addresses: it must not be sent as an id.
    if _BARE_HEX.fullmatch(bare):
        return "no_hyphens"
    if bare.casefold().startswith("sep="):  # Excel's own first line, naming the delimiter
        return "header"
    if bare.startswith(_FORMULA_STARTS):
        return "formula"
    return "malformed"
