"""Styles by meaning: colours on a terminal, unless NO_COLOR is set. A word says the same, never a colour alone."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import click

from scheduled_tasks.terminal import printable


class Style(Enum):
    """What a text means; the value is its look (the arguments of `click.style`)."""

    BAD = {"fg": "red", "bold": True}  # noqa: RUF012 - an enum's value
    WARNING = {"fg": "yellow"}  # noqa: RUF012
    GOOD = {"fg": "green"}  # noqa: RUF012
    HEADER = {"bold": True}  # noqa: RUF012
    QUIET = {"dim": True}  # noqa: RUF012


class Styled(NamedTuple):
    """A text with a style."""

    text: str
    style: Style

    def __str__(self) -> str:
        return self.text


Part = str | Styled
Line = Sequence[Part]


def on_terminal(*, err: bool = False) -> bool:
    """Whether a person reads standard output (or standard error) on a terminal."""
    return (sys.stderr if err else sys.stdout).isatty()


def width() -> int:
    """The columns of the terminal; 80 if they are unknown."""
    return shutil.get_terminal_size().columns


def has_colours(*, err: bool = False) -> bool:
    """Whether colours are shown: only on a terminal, and not with NO_COLOR (see no-color.org) or TERM=dumb."""
    return on_terminal(err=err) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def text_of(part: Part) -> str:
    """The text without its style."""
    return part.text if isinstance(part, Styled) else part


def painted(*parts: Part, err: bool = False) -> str:
    """The parts as one text, escaped, with the colours that the terminal shows."""
    colours = has_colours(err=err)
    return "".join(
        click.style(printable(part.text), **part.style.value)
        if colours and isinstance(part, Styled)
        else printable(text_of(part))
        for part in parts
    )


def show(*parts: Part, err: bool = False) -> None:
    """Print the parts as one line, with colours on a terminal; text of unknown origin is escaped."""
    stream = sys.stderr if err else sys.stdout
    click.echo(painted(*parts, err=err), file=getattr(stream, "unescaped", stream), color=True)
