"""The container image's steps, as they stand: no builder is at hand, so each RUN runs here, in a folder in place of /opt.

Then what the image would run is run as it would be: by a user that is not root, nothing writable, the credential as a file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Database, grant_everything

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 65532


def steps() -> list[tuple[str, str]]:
    return re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_image_is_not_roots_and_has_two_stages() -> None:
    words = dict(steps())
    assert words["USER"] == f"{NOBODY}:{NOBODY}"
    assert words["CMD"] == '["run-task", "--help"]'
    assert [value for name, value in steps() if name == "FROM"] == ["python:${PYTHON}-slim AS build", "python:${PYTHON}-slim"]
