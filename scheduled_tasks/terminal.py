"""Escape text of unknown origin for a terminal, so that control characters are shown and have no effect.

Error texts, reasons and log lines can come from a task, descriptions from a clock file. A terminal obeys escape
sequences (ECMA-48), a carriage return hides what stands before it, and bidirectional controls reorder what is read.
Standard library only.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# C0 but tab and line feed, DEL, C1, the bidirectional controls (UAX #9), Unicode's own line breaks; and lone
# surrogates, which can't be written at all.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text with each active character as `\u001b`, which in a JSON string means the same as the character."""
    return _ACTIVE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(text: object) -> str:
    """The text, such as a path, `printable`, with line breaks and tabs shown: they would break a table."""
    return printable(str(text)).replace("\n", "\\n").replace("\t", "\\t")


class EscapingStream:
    """A text stream that escapes what is written to it; everything else is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        self.unescaped.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each text, escaped."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextmanager
def escaping_output() -> Iterator[None]:
    """Escape all that is written to standard output and standard error."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = EscapingStream(sys.stdout), EscapingStream(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
