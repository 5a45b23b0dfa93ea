"""A firewall for bytes as they arrive: what can be no list of identifiers is refused before all of it is here.

It looks at blocks of one size, wherever the chunks began and ended, so that the same bytes always meet the same
verdict. It refuses nothing that `read_identifiers` takes, but for long stretches without an identifier.
"""

import codecs
import re
from collections import deque

from recontact_tools.errors import InvalidInput
from recontact_tools.identifiers.decoding import not_wide_text, refuse_binary, refuse_other_formats, wide_encoding
from recontact_tools.identifiers.refusals import not_a_list, too_large, too_many_lines
from recontact_tools.identifiers.respondent_file import LINES_MAX

# ours: a hundredth of the largest file; what is wrong from the start is refused before more of it is sent.
BLOCK_BYTES = 16_384
# ours: some five hundred rows of a wide report without an identifier. Longer stretches are another file.
FOREIGN_BYTES_MAX = 262_144

# source: cint-api 2.9, 8-4-4-4-12
_ID = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_ID_BYTES = 36  # source: cint-api 2.9, RSID and RID are 36 characters
# Empty cells and blank lines at the end of an export are no other content.
_BLANK = b" \t\r\n\f\v,;|\"'"


class Arriving:
    """A file on its way in, at most *bytes_max* bytes of it; after a refusal it is of no more use."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._content = bytearray()
        self._looked_at = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._tail = b""
        self._foreign = 0
        self._line_feeds = 0
        self._returns = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; no more of them is held than the limit allows.

        Raises:
            InvalidInput: FILE_TOO_LARGE, or INVALID_FILE for what can be no list of identifiers.
        """
        room = self._bytes_max - len(self._content)
        self._content += chunk[:room]
        while len(self._content) - self._looked_at >= BLOCK_BYTES:
            self._look(BLOCK_BYTES)
        if len(chunk) > room:
            raise larger_than(self._bytes_max)

    def whole(self) -> bytes:
        """Return the file, once its last byte is here.

        Raises:
            InvalidInput: As `add`.
        """
        self._look(len(self._content) - self._looked_at, final=True)
        return bytes(self._content)

    def _look(self, size: int, *, final: bool = False) -> None:
        block = bytes(self._content[self._looked_at : self._looked_at + size])
        is_first = self._looked_at == 0
        self._looked_at += size
        text = self._narrow(block, is_first=is_first, final=final)
        if is_first:
            refuse_other_formats(text.removeprefix(codecs.BOM_UTF8))
        refuse_binary(text)
        self._count_lines(text)
        self._count_foreign(text)

    def _narrow(self, block: bytes, *, is_first: bool, final: bool) -> bytes:
        if is_first and (encoding := wide_encoding(block)):
            self._decoder = codecs.getincrementaldecoder(encoding)()
        if self._decoder is None:
            return block
        text = _decoded(self._decoder, block, final=final)
        if text is None:
            raise not_wide_text()
        return text.encode()

    def _count_lines(self, text: bytes) -> None:
        # Never more than there are, whichever of the two ends a line.
        self._line_feeds += text.count(b"\n")
        self._returns += text.count(b"\r")
        lines = max(self._line_feeds, self._returns)
        if lines > LINES_MAX:
            raise too_many_lines(lines)

    def _count_foreign(self, text: bytes) -> None:
        """Count what was there since the last identifier; one may stand across two blocks."""
        seen = self._tail + text
        self._tail = seen[1 - _ID_BYTES :]
        last = next(iter(deque(_ID.finditer(seen), maxlen=1)), None)
        since = text if last is None else seen[last.end() :]
        self._foreign = len(since.translate(None, _BLANK)) + (self._foreign if last is None else 0)
        if self._foreign > FOREIGN_BYTES_MAX:
            raise not_a_list("A long stretch of the file holds no identifier, so it was not read further.")


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> str | None:
    # None instead of an error raised from here: the decoder's own error carries the content along.
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError:
        return None


def larger_than(bytes_max: int) -> InvalidInput:
    """Return the refusal of a file with more bytes than may be sent."""
    return too_large(f"The file is larger than {bytes_max:,} bytes.", bytes_max=bytes_max)
