"""Write objects as YAML that people read in git: in their own order, texts of several lines as blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


class _Readable(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        del data
        return True  # objects written out are easier to read

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        super().increase_indent(flow, indentless=False)  # lists are indented, as linters of YAML want them


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def dump(objects: Iterable[Any], *, width: int = 120) -> str:
    """The text of a file with some objects."""
    return str(yaml.dump_all(objects, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=width))
