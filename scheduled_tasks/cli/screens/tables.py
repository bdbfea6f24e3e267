"""Tables: fitted to a terminal without cutting a name; in a pipe one line for each row, as wide as it needs to be."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from scheduled_tasks.cli.screens.styles import Line, Part, Style, Styled, on_terminal, show, text_of, width
from scheduled_tasks.terminal import one_line

GAP = "  "
INDENT = "    "
MAX_TEXT_LINES = 3  # of one text on a screen, for `shortened`
MIN_TEXT_WIDTH = 40  # columns for the text of a row beside its other cells: with fewer it stands below them


def show_table(columns: Iterable[str], rows: Iterable[Iterable[Part]], *, text: bool = False) -> None:
    """Print a table.

    Args:
        columns: the headings.
        rows: the cells of each row; the first one is its name.
        text: whether the last column is a text, such as a reason. On a terminal it is wrapped beside the other cells,
            or below them if there is little room.
    """
    for line in table_lines(columns, rows, columns_of_terminal=width() if on_terminal() else None, text=text):
        show(*line)


def table_lines(
    columns: Iterable[str], rows: Iterable[Iterable[Part]], *, columns_of_terminal: int | None, text: bool = False
) -> Iterator[Line]:
    """The lines of a table; `columns_of_terminal` is None in a pipe."""
    headings: list[Part] = [Styled(name, Style.HEADER) if columns_of_terminal else name for name in columns]
    given = [headings, *(list(row) for row in rows)]
    cells = [[_one_line(cell) for cell in row] for row in given]
    if columns_of_terminal is None:
        yield from _aligned(cells)
        return
    texts = [text_of(row[-1]).expandtabs() if text else "" for row in given]  # with their lines
    fixed = [row[:-1] for row in cells] if text else cells
    if max(map(_width, _aligned(fixed))) > columns_of_terminal:
        yield from _with_long_names(fixed, texts, columns_of_terminal)
        return
    lines = list(_aligned(fixed, pad_last=True))
    room = columns_of_terminal - _width(lines[0]) - len(GAP)
    if room >= MIN_TEXT_WIDTH or all(len(line) <= room for note in texts for line in note.split("\n")):
        yield [*lines[0], GAP, headings[-1]] if any(texts[1:]) else _stripped(lines[0])
        for line, note in zip(lines[1:], texts[1:], strict=True):
            yield from _beside(line, note, room)
        return
    yield _stripped(lines[0])
    for line, note in zip(lines[1:], texts[1:], strict=True):
        yield _stripped(line)
        yield from _below(note, columns_of_terminal)


def _with_long_names(rows: Sequence[Line], texts: Sequence[str], columns: int) -> Iterator[Line]:
    """The lines of a table in which a row whose name leaves no room for its other cells has them on the next line."""
    others = list(_aligned([row[1:] for row in rows], pad_last=True))
    room = columns - _width(others[0]) - len(GAP)
    names = [_width(row[:1]) for row in rows]
    indent = max((name for name in names if name <= room), default=0)
    indent = indent if indent > len(INDENT) else len(INDENT) - len(GAP)
    for number, (row, name, rest, note) in enumerate(zip(rows, names, others, texts, strict=True)):
        if name > indent:
            yield [row[0]]
        before: list[Part] = [row[0], " " * (indent - name)] if name <= indent else [" " * indent]
        if indent + len(GAP) + _width(rest) <= columns:
            yield _stripped([*before, GAP, *rest])
        else:
            yield from ([line] for line in wrapped(GAP.join(map(text_of, row[1:])), columns))
        if number:
            yield from _below(note, columns)


def _beside(line: Line, note: str, room: int) -> Iterator[Line]:
    first, *more = wrapped(note, room, "") or [""]
    yield [*line, GAP, first] if first else _stripped(line)
    for other in more:
        yield [" " * (_width(line) + len(GAP)), other]


def _below(note: str, columns: int) -> Iterator[Line]:
    for line in wrapped(note, columns):
        yield [line]


def wrapped(note: str, columns: int, indent: str = INDENT) -> list[str]:
    """A text in lines that fit, indented. A word that is longer than a line is not cut: it may be a name."""
    wrapper = textwrap.TextWrapper(
        columns, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line for paragraph in note.split("\n") for line in wrapper.wrap(paragraph)]


def shortened(note: str, columns: int) -> str:
    """A text that fits into `MAX_TEXT_LINES` lines below a row."""
    most = MAX_TEXT_LINES * (columns - len(INDENT) - 8)  # a line ends with a whole word: it may be shorter
    return note if len(note) <= most else f"{note[:most]}…"


def _one_line(cell: Part) -> Part:
    return Styled(one_line(cell.text), cell.style) if isinstance(cell, Styled) else one_line(cell)


def _aligned(rows: Sequence[Line], *, pad_last: bool = False) -> Iterator[Line]:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(_cells(text_of(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line: list[Part] = []
        for number, (cell, cell_width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (cell_width - _cells(text_of(cell)))
            is_last = number == len(row) - 1
            line += [cell, padding if not is_last or pad_last else "", "" if is_last else GAP]
        yield line if pad_last else _stripped(line)


def _stripped(line: Line) -> Line:
    """A line without spaces at its end."""
    parts = list(line)
    while parts and not text_of(parts[-1]).strip():
        parts.pop()
    return parts


def _width(line: Line) -> int:
    return sum(_cells(text_of(part)) for part in line)


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():  # most are, and rich takes long to import
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
