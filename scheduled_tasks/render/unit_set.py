"""A unit set: all files of one render, and what can be read from them. Pure.

The drop-in that every service inherits names the release and its configuration, so they are switched and rolled back
together with the units (docs/decisions/0006).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scheduled_tasks.render import names
from scheduled_tasks.render.escape import unquote_word
from scheduled_tasks.render.unit_file import UnitFile, merge

CONFIGURATION = "SCHEDULED_TASKS_CONFIG"
WANTED_BY = "timers.target.wants"  # systemd starts the clocks' targets with its own timers
NO_JOBS = json.dumps({"jobs": []})
_WORD = r'("(?:\\.|[^"\\])*"|[^":\s]+)'  # as `escape.quote_word` writes it
_MOUNT = re.compile(f"{_WORD}:{_WORD}")


@dataclass(frozen=True)
class Release:
    """The release that a set runs.

    Attributes:
        folder: where it is installed.
        mount: where its services see it: the same path in every release.
        configuration: the configuration file of its services.
    """

    folder: Path
    mount: Path
    configuration: Path


class UnitSet(Mapping[str, str]):
    """An immutable set of unit files: path inside the set → text.

    Attributes:
        folder: the directory that it was read from; None for one that was rendered.
    """

    def __init__(self, files: Mapping[str, str] = MappingProxyType({}), folder: Path | None = None) -> None:
        self._files, self.folder = dict(files), folder
        self._parsed: dict[str, UnitFile] = {}

    def __getitem__(self, path: str) -> str:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __or__(self, files: Mapping[str, str]) -> UnitSet:
        return UnitSet({**self._files, **files})

    @cached_property
    def name(self) -> str:
        """The name of the set: the hash of its checksums."""
        return hashlib.sha256(self.checksums.encode()).hexdigest()

    @cached_property
    def checksums(self) -> str:
        """The set's SHA256SUMS file, so that an operator can check a set with sha256sum(1)."""
        hashes = ((hashlib.sha256(text.encode()).hexdigest(), path) for path, text in sorted(self._files.items()))
        return "".join(f"{digest}  {path}\n" for digest, path in hashes)

    @cached_property
    def units(self) -> dict[str, str]:
        """The files that are units or drop-ins: all but the jobs manifest."""
        return {path: text for path, text in self._files.items() if path != names.JOBS}

    @cached_property
    def services(self) -> list[str]:
        """The services, in the order of the set."""
        return [path for path in self._files if path.endswith(".service")]

    @cached_property
    def links(self) -> dict[str, str]:
        """Every link to the set, by its path below systemd's directory → the file that it leads to."""
        wanted = (path for path in self.units if path.endswith(".target") or path == names.WATCH_TIMER)
        return {path: path for path in self.units} | {f"{WANTED_BY}/{path}": path for path in wanted}

    def file(self, path: str) -> UnitFile:
        """A parsed file of the set; an empty one if the set lacks it."""
        if path not in self._parsed:
            self._parsed[path] = UnitFile(self._files.get(path, ""))
        return self._parsed[path]

    def drop_ins(self, service: str) -> list[str]:
        """The paths of a service's drop-ins, in the order in which systemd reads them (systemd.unit(5))."""
        parts = service.removesuffix(".service").split("-")
        folders = [*(f"{'-'.join(parts[:count])}-.service.d" for count in range(1, len(parts))), f"{service}.d"]
        paths = [path for folder in folders for path in self._folders.get(folder, ())]
        return sorted(paths, key=lambda path: path.rpartition("/")[2])

    def of_unit(self, unit: str) -> list[str]:
        """The paths of a unit and of its own drop-ins, without those that it inherits."""
        return [path for path in (unit, *self._folders.get(f"{unit}.d", ())) if path in self._files]

    def files_of(self, service: str) -> list[UnitFile]:
        """What systemd reads for a service: its unit, then its drop-ins."""
        return [self.file(path) for path in (service, *self.drop_ins(service)) if path in self._files]

    def effective(self, service: str) -> dict[str, tuple[str, ...]]:
        """The directives that apply to a service, see `unit_file.merge`."""
        return merge(self.files_of(service))

    @cached_property
    def release(self) -> Release | None:
        """The release that the set runs; None for units that `clocks apply` of a checkout made."""
        shared = self.file(names.ALL_SERVICES)
        mounts = [match.groups() for value in shared.values("BindReadOnlyPaths") if (match := _MOUNT.fullmatch(value))]
        mounts = [mount for mount in mounts if not mount[1].startswith(f"{names.Places().credentials}/")]
        variables = map(unquote_word, shared.values("Environment"))
        configurations = [text.partition("=")[2] for text in variables if text.startswith(f"{CONFIGURATION}=")]
        if not mounts or not configurations:
            return None
        folder, mount = (Path(unquote_word(path)) for path in mounts[0])
        return Release(folder, mount, Path(configurations[0]))

    @property
    def jobs_manifest(self) -> str:
        """The text of the jobs manifest; of an empty set, one without jobs."""
        return self._files.get(names.JOBS, NO_JOBS)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The entries of the jobs manifest."""
        return list(json.loads(self.jobs_manifest)["jobs"])

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for path in self._files:
            folders.setdefault(path.rpartition("/")[0], []).append(path)
        return folders
