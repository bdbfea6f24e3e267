"""Write the page to files: for an incident's report, an archive, or a machine without network.

Every screen is asked of the application itself, as a reader who may not act, and what it links to is written too. Links
become names of files in one folder; there are no scripts and no forms.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scheduled_tasks.page.access.middleware import UNLIMITED
from scheduled_tasks.page.view import SCREENS

if TYPE_CHECKING:
    from starlette.applications import Starlette

MAX_PAGES = 500
FIRST = "index.html"
MAX_NAME = 200  # characters of a file's name
_LINK = re.compile(r'href="([^"]*)"')
# A file has no headers, so its policy stands in it: it runs nothing and sends nothing.
_POLICY = (
    "script-src 'none'; object-src 'none'; connect-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'"
)
_HEAD = '<meta charset="utf-8">'
_LEFT_OUT = re.compile(r"<script\b.*?</script>|<form\b.*?</form>|<meta http-equiv=[^>]*>", re.DOTALL)


def write(app: Starlette, folder: Path) -> int:
    """Write all screens into a folder, and what they link to, at most MAX_PAGES; return how many there are."""
    pages = asyncio.run(_pages(app))
    folder.mkdir(parents=True, exist_ok=True)
    names = _files(pages)
    for path, html in pages.items():
        (folder / names[path]).write_bytes(_rewritten(html, names) if names[path].endswith(".html") else html)
    return sum(name.endswith(".html") for name in names.values())


async def _pages(app: Starlette) -> dict[str, bytes]:
    pages: dict[str, bytes] = {}
    waiting = [*(path for path, _, _ in SCREENS), "/static/page.css", "/static/icon.svg"]
    async with app.router.lifespan_context(app):
        while waiting and len(pages) < MAX_PAGES:
            path = waiting.pop(0)
            if path in pages:
                continue
            status, body = await _answer(app, path)
            if status == 200:  # noqa: PLR2004 - it is there
                pages[path] = body
                waiting += [link for link in _links(body) if link not in pages]
    return pages


def _links(body: bytes) -> Iterable[str]:
    """The screens of jobs, runs and requests that a screen links to; a file for each filter would be endless."""
    for link in _LINK.findall(body.decode(errors="replace")):
        path = unescape(link)
        if path.startswith(("/job/", "/jobs/", "/run/", "/request/")) and "?" not in path:
            yield path


async def _answer(app: Starlette, path: str) -> tuple[int, bytes]:
    answer: dict[str, Any] = {"status": 0, "body": b""}
    parts = urlsplit(path)
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": unquote(parts.path),
        "raw_path": parts.path.encode(), "query_string": parts.query.encode(), "root_path": "",
        "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "state": {UNLIMITED: True},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        else:
            answer["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return answer["status"], answer["body"]


def _files(paths: Iterable[str]) -> dict[str, str]:
    """The file of each path; of two whose names would be the same, the second has a number."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in paths:
        name, number = _file(path), 1
        while name.lower() in taken:
            number += 1
            name = _file(path, f"-{number}")
        taken.add(name.lower())
        names[path] = name
    return names


def _file(path: str, suffix: str = "") -> str:
    """The file of a path: /job/booking/close becomes job-booking-close.html."""
    name = re.sub(r"[^\w.-]", "-", unquote(path).strip("/"), flags=re.ASCII).removeprefix("static-")
    if not name:
        return FIRST
    return name if path.startswith("/static/") else f"{name[:MAX_NAME]}{suffix}.html"


def _rewritten(html: bytes, names: dict[str, str]) -> bytes:
    """A page whose links lead to files; a link to what was not written leads nowhere."""

    def link(match: re.Match[str]) -> str:
        path = unescape(match[1])
        if path.startswith("#"):
            return match[0]
        name = names.get(path) or names.get(path.partition("?")[0])
        return f'href="{escape(name)}"' if name else 'aria-disabled="true"'

    policy = f'{_HEAD}\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    text = _LEFT_OUT.sub("", html.decode()).replace(_HEAD, policy, 1)
    return _LINK.sub(link, text).encode()
