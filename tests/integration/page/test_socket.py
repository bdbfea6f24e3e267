"""The page's gate behind uvicorn on a unix socket: the kernel says who connects, whatever the request says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.page.access import AccessMiddleware, configured
from tests.roots import lacking, require
from tests.unix_http import CLIENT, served_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


async def _application(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["actor"].name.encode()})


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The socket of a running page that anybody on this machine can connect to."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.name:
            folder.chmod(folder.stat().st_mode | 0o011)
    access = configured({"proxy": {"user_header": "X-Forwarded-User", "users": ["www-data"]}}, "a secret")
    path = tmp_path / "page.sock"
    with served_on(path, AccessMiddleware(_application, access)):
        path.chmod(0o666)
        yield path


def ask_as(user: str, path: Path, *headers: dict[str, str]) -> list[list[object]]:
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user != "root" else []
    python = ["/usr/bin/python3", "-I"] if user != "root" else [sys.executable]
    done = subprocess.run(
        [*command, *python, "-c", CLIENT, str(path), json.dumps(headers)], capture_output=True, text=True, check=True
    )
    return [[status, body] for status, body, _ in json.loads(done.stdout)]


def test_the_kernel_says_who_connects_whatever_a_header_says(path: Path) -> None:
    require(lacking("connecting as another user", {"setpriv": "util-linux"}))
    named = {"X-Forwarded-User": "anna", "X-Forwarded-For": "10.0.0.5", "Forwarded": "for=10.0.0.5"}
    assert ask_as("root", path, {}, {}) == [[200, "root"], [200, "root"]]
    assert ask_as("backup", path, {}) == [[200, "backup"]]
    assert ask_as("backup", path, named, {}) == [
        [403, "the header x-forwarded-user counts only from the proxy\n"], [200, "backup"],
    ]  # fmt: skip
    assert ask_as("www-data", path, named, {}) == [[200, "anna"], [401, "it is not known who you are\n"]]
