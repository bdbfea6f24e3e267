"""Debian's promtool, which tests rules as Prometheus evaluates them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.roots import lacking, require

RULES = "scheduled_tasks.rules.yml"


def require_promtool() -> None:
    require(lacking("the rules' test", {"promtool": "prometheus"}, root=False))


def failures(folder: Path, rules: str, tests: str) -> str:
    """What promtool reports when it tests rules; "" if every test passes."""
    (folder / RULES).write_text(rules)
    (folder / "tests.yml").write_text(tests)
    return _promtool(folder, "test", "rules", "tests.yml")


def problems(folder: Path, rules: str) -> str:
    """What promtool finds wrong with rules; "" if nothing."""
    (folder / RULES).write_text(rules)
    return _promtool(folder, "check", "rules", RULES)


def _promtool(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr)[:4000]
