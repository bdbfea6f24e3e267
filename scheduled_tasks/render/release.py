"""What a set of units runs: the release and the configuration that it names. Pure, from a set's files.

Both stand in one file, the drop-in that every service inherits: with a set, code and configuration come into force and
go back (docs/decisions/0006).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scheduled_tasks.render import names
from scheduled_tasks.render.escape import in_command_line, read_word

CONFIGURATION = "SCHEDULED_TASKS_CONFIG"
_WORD = r'("(?:\\.|[^"\\\n])*"|[^":\s]+)'  # as escape.word writes it
_MOUNT = re.compile(f"^BindReadOnlyPaths={_WORD}:{_WORD}$", re.MULTILINE)
_CONFIGURATION = re.compile(rf"^Environment=(?=\"?{CONFIGURATION}=){_WORD}$", re.MULTILINE)


@dataclass(frozen=True)
class Deployed:
    """What a set of units runs.

    Attributes:
        release: the folder of the release.
        seen_as: the path that its services see it at, the same in every release.
        configuration: the configuration of its services.
    """

    release: Path
    seen_as: Path
    configuration: Path


def deployed(files: Mapping[str, str]) -> Deployed | None:
    """What a set runs; None where no release is named, as for units that a checkout's `clocks apply` made."""
    text = files.get(names.ALL_SERVICES, "")
    mount, configuration = _MOUNT.search(text), _CONFIGURATION.search(text)
    if not mount or not configuration:
        return None
    configured = read_word(configuration[1]).removeprefix(f"{CONFIGURATION}=")
    return Deployed(Path(read_word(mount[1])), Path(read_word(mount[2])), Path(configured))


def deployed_by(folder: Path) -> Deployed | None:
    """As `deployed`, of a set's folder."""
    path = folder / names.ALL_SERVICES
    return deployed({names.ALL_SERVICES: path.read_text()}) if path.is_file() else None


def as_installed_here(files: Mapping[str, str]) -> Mapping[str, str]:
    """A set in which commands stand in the release that speaks: the other path leads there for services only."""
    found = deployed(files)
    if found is None:
        return files
    there, here = (f"{in_command_line(path)}/bin/" for path in (str(found.seen_as), sys.prefix))
    return {path: text.replace(there, here) for path, text in files.items()}
