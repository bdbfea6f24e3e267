"""The text of one unit file or drop-in: its only parser and writer (systemd.syntax(7)). Pure.

Values are kept as written; quoting and specifiers belong to `escape`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

_COMMENT = ("#", ";")


class Directive(NamedTuple):
    """One `NAME=VALUE` line; an empty value resets a list."""

    section: str
    name: str
    value: str


@dataclass(frozen=True)
class UnitFile:
    """A unit file or drop-in."""

    text: str

    @cached_property
    def directives(self) -> tuple[Directive, ...]:
        """All directives in the order of the file; before the first `[Section]` the section is empty."""
        section, directives = "", []
        for line in self._lines():
            if line.startswith("["):
                section = line.strip(" \t\r[]")
            elif "=" in line and not line.startswith(_COMMENT):
                name, _, value = line.partition("=")
                directives.append(Directive(section, name.strip(" \t"), value.strip(" \t\r")))
        return tuple(directives)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a directive, one for each line that has it, resets included."""
        return tuple(directive.value for directive in self.directives if directive.name == name)

    def section(self, name: str) -> tuple[Directive, ...]:
        """The directives of a section."""
        return tuple(directive for directive in self.directives if directive.section == name)

    def without(self, names: Container[str]) -> UnitFile:
        """The file without some directives, the comments right above them, and the blank lines that would pile up."""
        kept: list[str] = []
        comments: list[str] = []
        last = ""
        for line in self._lines():
            if line.startswith(_COMMENT):
                comments.append(line)
                continue
            if line.partition("=")[0] not in names:
                if line or comments or last:
                    kept += (*comments, line)
                last = line
            comments = []
        return UnitFile("".join(f"{line}\n" for line in (*kept, *comments)))

    def _lines(self) -> Iterator[str]:
        """The lines, each joined with those that continue it after a backslash."""
        continued = ""
        for line in self.text.removesuffix("\n").split("\n"):  # not splitlines(): to systemd only \n ends a line
            if line.startswith(_COMMENT):
                if not continued:
                    yield line
            elif line.endswith("\\"):
                continued += f"{line[:-1]} "
            else:
                yield continued + line
                continued = ""
        if continued:
            yield continued


def merge(unit_files: Iterable[UnitFile]) -> dict[str, tuple[str, ...]]:
    """The values of each directive after systemd has read some files in their order.

    An empty first value stands for a reset. Of a directive that isn't a list, the last value applies.
    """
    merged: dict[str, tuple[str, ...]] = {}
    for unit_file in unit_files:
        for _, name, value in unit_file.directives:
            merged[name] = (*merged.get(name, ()), value) if value else ("",)
    return merged


def section_text(name: str, directives: Iterable[tuple[str, str]]) -> str:
    """Write a section with these names and values."""
    return "".join((f"[{name}]\n", *(f"{key}={value}\n" for key, value in directives)))
