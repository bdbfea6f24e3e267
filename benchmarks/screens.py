"""Measure the screens of a web page: time to the first byte, compressed bytes, and when Chromium can use them.

A screen's times are the least of some tries. Bytes are those of the document, as a browser receives it. In Chromium it
is the time until the document has been parsed and its scripts have run (domContentLoadedEventEnd).
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Mapping
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

TRIES, BROWSER_TRIES = 7, 4
TIMEOUT = 120.0  # seconds
START_TIMEOUT = 60.0  # seconds, of a server


def measure(url: str, paths: Mapping[str, str]) -> None:
    """Print the figures of each screen; `paths` has their names and paths."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        for name, path in paths.items():
            first_byte, size, status = min(_answer(url + path) for _ in range(TRIES))
            usable = min(_usable(page, url + path) for _ in range(BROWSER_TRIES))
            figures = f"{first_byte:7.0f} ms  {size / 1000:6.1f} kB  {usable:6.0f} ms in Chromium  {status}"
            print(f"{name:24} {figures}", flush=True)
        browser.close()


def free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for(url: str, path: str) -> str:
    """Wait until a server answers, and return its URL."""
    until = time.monotonic() + START_TIMEOUT
    while True:
        try:
            httpx.get(url + path, timeout=TIMEOUT).raise_for_status()
        except httpx.ConnectError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return url


def _answer(url: str) -> tuple[float, int, int]:
    """Milliseconds to the first byte, bytes as they were sent, and the status of an answer."""
    began = time.monotonic()
    with httpx.stream("GET", url, timeout=TIMEOUT) as answer:
        first_byte = (time.monotonic() - began) * 1000
        size = sum(len(part) for part in answer.iter_raw())
    return first_byte, size, answer.status_code


def _usable(page: Any, url: str) -> float:
    page.goto(url)
    return float(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
