"""Projects that tests import in their own process. Several are called `shop`: each test needs its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def import_shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test import the package `shop` of a folder, whichever `shop` an earlier test imported."""
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        monkeypatch.delitem(sys.modules, name)
