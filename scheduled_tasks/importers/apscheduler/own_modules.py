"""Read the user's own modules that a clock file imports from, as the clock file itself is read: nothing of them is run.

A dotted name goes in; the constant, the trigger or the scheduler that a module beside the file binds to it comes out.
Functions and classes stay references, because a job names them.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.functions import source_of
from scheduled_tasks.importers.apscheduler.model import UNKNOWN, Value, is_plain

Names = dict[str, Value]
SETTINGS_MODULE = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
DJANGO = "django.conf.settings."


@dataclass
class OwnModules:
    """The modules below some folders; `follow` reads one: its tree, its text, its path and its dotted name go in.

    Each module is read once, and one that imports itself in a circle has no names until it is read.
    """

    roots: list[Path]
    follow: Callable[[ast.Module, str, Path, str], Names]
    names: dict[Path, Names] = field(default_factory=dict)
    schedulers: dict[str, model.Scheduler] = field(default_factory=dict)

    def find(self, dotted: str) -> Value:
        """The value of a dotted name as its importer sees it; UNKNOWN if no own module tells."""
        if dotted.startswith(DJANGO):
            return self._django_setting(dotted)
        value = self._bound(dotted)
        if isinstance(value, model.Scheduler):
            if dotted not in self.schedulers:
                name = dotted.rpartition(".")[2]
                self.schedulers[dotted] = replace(value, made=False, name=name, calls=[])
            return self.schedulers[dotted]
        is_of_the_file = isinstance(value, model.LocalFunction | model.LocalClass | model.Instance | model.Method)
        return UNKNOWN if is_of_the_file or not _is_told(value) else value

    def find_class(self, dotted: str) -> model.LocalClass | model.Instance | None:
        """The class of an own module, or the object of one, that a dotted name stands for."""
        value = self._bound(dotted)
        return value if isinstance(value, model.LocalClass | model.Instance) else None

    def module_names(self, module: str) -> Names | None:
        """The public names that a module binds, as `from module import *` does; None if it isn't there."""
        path = self._path(module)
        if path is None:
            return None
        names = self._read(path, module)
        listed = names.get("__all__")
        public = [name for name in names if not name.startswith("_")] if not isinstance(listed, list) else listed
        return {name: names[name] for name in public if name in names}

    def _bound(self, dotted: str, before: frozenset[str] = frozenset()) -> Value:
        """The value of a dotted name; `before` are the names that led to it, each handing another's on."""
        if dotted in before:
            return UNKNOWN
        parts = dotted.split(".")
        for length in range(len(parts) - 1, 0, -1):
            if path := self._path(".".join(parts[:length])):
                names, rest = self._read(path, ".".join(parts[:length])), parts[length:]
                return self._attribute(names.get(rest[0], UNKNOWN), rest[1:], before | {dotted})
        return UNKNOWN

    def _attribute(self, value: Value, rest: list[str], before: frozenset[str]) -> Value:
        if isinstance(value, model.Reference):
            dotted = ".".join([value.dotted, *rest])
            bound = self._bound(dotted, before)
            return model.Reference(dotted) if bound is UNKNOWN and not self._path(dotted.partition(".")[0]) else bound
        for name in rest:
            if not isinstance(value, model.LocalClass | model.Instance):
                return UNKNOWN
            value = value.known().get(name, UNKNOWN)
        return value

    def _path(self, module: str) -> Path | None:
        if module.partition(".")[0] in sys.stdlib_module_names:
            return None
        return next(filter(None, (source_of(module, root) for root in self.roots)), None)

    def _read(self, path: Path, module: str) -> Names:
        if path not in self.names:
            self.names[path] = {}
            try:
                with tokenize.open(path) as file:
                    text = file.read()
                self.names[path] = self.follow(ast.parse(text), text, path, module)
            except (SyntaxError, ValueError, OSError):
                pass  # it tells nothing
        return self.names[path]

    def _django_setting(self, dotted: str) -> Value:
        """A setting of Django's, from the settings module that manage.py names unless the environment names another."""
        name, variable = dotted.removeprefix(DJANGO), "DJANGO_SETTINGS_MODULE"
        for module in self._settings_modules():
            value = self._bound(f"{module}.{name}")
            if is_plain(value):
                why = f"the environment variable {variable}; {module} sets it"
                return model.UnknownValue(f"settings.{name}", why, value)
        return model.UnknownValue(f"settings.{name}", f"Django's settings, whose module {variable} names")

    def _settings_modules(self) -> Iterator[str]:
        for root in self.roots:
            for folder in (root, *root.parents[:2]):
                file = folder / "manage.py"
                if file.is_file() and (match := SETTINGS_MODULE.search(file.read_text(errors="replace"))):
                    yield match[1]


def _is_told(value: Value) -> bool:
    """Whether the value of an own module says something that its name in the importing file doesn't."""
    if value is UNKNOWN or is_plain(value):
        return value is not UNKNOWN
    return isinstance(value, (model.UnknownValue, model.TriggerObject, model.Reference, list, tuple, dict))
