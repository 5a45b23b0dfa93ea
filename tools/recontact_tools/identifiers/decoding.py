"""From the bytes of a file to plain lines: encodings, byte-order marks, line ends, and what is no text."""

import codecs
import re

from recontact_tools.errors import InvalidInput
from recontact_tools.identifiers.refusals import not_a_list, too_large, too_many_lines
from recontact_tools.identifiers.respondent_file import LINES_MAX, RAW_BYTES_MAX

_EXPORT_AS_CSV = "Open it, save the sheet as CSV (UTF-8), and try again."
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"PK[\x03\x05]"),
        "This is an Excel workbook or another zip archive, not a text file.",
        _EXPORT_AS_CSV,
    ),
    (re.compile(rb"\xd0\xcf\x11\xe0"), "This is an old Excel or Office document, not a text file.", _EXPORT_AS_CSV),
    (re.compile(rb"%PDF"), "This is a PDF document, not a text file.", "Export the data as CSV and try again."),
    (re.compile(rb"\x1f\x8b"), "This is a gzip archive, not a text file.", "Unpack it and try again."),
    (
        re.compile(rb"7z\xbc\xaf|Rar!\x1a|BZh[1-9]1AY|\xfd7zXZ|\x28\xb5\x2f\xfd"),
        "This is a compressed archive, not a text file.",
        "Unpack it and try again.",
    ),
    (re.compile(rb"\{\\rtf"), "This is a rich-text document, not a text file.", "Save it as plain text."),
    (
        re.compile(rb"\s*<[!?a-zA-Z]"),
        "This is a web page or XML, not a list of identifiers.",
        "Download the export itself (perhaps you need to sign in first) and try again.",
    ),
    (
        re.compile(rb'\s*(?:\[\s*["{\]]|\{\s*["}])'),
        "This is JSON, not a list of identifiers.",
        "Write the identifiers to a text file, one per line, and try again.",
    ),
)
_NOT_BREAKS = bytes(set(range(256)) - set(b"\r\n"))
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def plain_text(data: bytes) -> bytes:
    """Return the file as ASCII-compatible bytes: LF line ends, the last line ended too, no BOM.

    Raises:
        InvalidInput: INVALID_FILE for what is no text, FILE_TOO_LARGE beyond the size or line limit.
    """
    if len(data) > RAW_BYTES_MAX:
        raise too_large(f"The file is larger than {RAW_BYTES_MAX:,} bytes.", bytes_max=RAW_BYTES_MAX)
    text = _narrow(data).removeprefix(codecs.BOM_UTF8)
    refuse_other_formats(text)
    if b"\r" in text:
        text = _with_line_feeds(text)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    lines = text.count(b"\n")
    if lines > LINES_MAX:
        raise too_many_lines(lines)
    return text


def _with_line_feeds(text: bytes) -> bytes:
    # Deleting is three times faster than replacing, and right when every CR stands before an LF.
    breaks = text.translate(None, _NOT_BREAKS)
    if breaks == b"\r\n" * (len(breaks) // 2):
        return text.translate(None, b"\r")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _narrow(data: bytes) -> bytes:
    """Rewrite UTF-16 and UTF-32 (Excel's "Unicode text", PowerShell's `>`) as UTF-8."""
    encoding = wide_encoding(data)
    if encoding is None:
        return data
    text = _decoded(data, encoding)
    if text is None:
        raise not_wide_text()
    return text.encode()


def wide_encoding(data: bytes) -> str | None:
    """Return the encoding of text whose characters have two or four bytes, as its first bytes name it."""
    return next((name for mark, name in _WIDE if data.startswith(mark)), None)


def not_wide_text() -> InvalidInput:
    """Refuse what says that it is UTF-16 or UTF-32 and is not."""
    return not_a_list("The file is not valid UTF-16 or UTF-32 text.")


def _decoded(data: bytes, encoding: str) -> str | None:
    # None instead of an error raised from here: the decoder's own error carries the content along.
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def refuse_other_formats(text: bytes) -> None:
    """Refuse what begins as a document or an archive does, or holds a NUL.

    Raises:
        InvalidInput: INVALID_FILE.
    """
    for signature, what, next_step in _SIGNATURES:
        if signature.match(text):
            raise not_a_list(what, next_step=next_step)
    refuse_binary(text)


def refuse_binary(text: bytes) -> None:
    """Refuse what holds a NUL: no text does.

    Raises:
        InvalidInput: INVALID_FILE.
    """
    if b"\0" in text:
        raise not_a_list(
            "The file is binary, or text in an encoding that does not say so.",
            next_step="Save it as plain text in UTF-8, one identifier per line, and try again.",
        )
