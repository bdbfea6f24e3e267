"""A real Prometheus (Debian's) that scrapes an exporter and evaluates rules."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.machine.waiting import wait_for

CONFIGURATION = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
"""


class Prometheus:
    """What it answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an expression now.

        Raises:
            AssertionError: Prometheus refuses the expression.
        """
        answer = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")
        result: list[dict[str, Any]] = answer["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire or are pending."""
        alerts: list[dict[str, Any]] = self._get("/api/v1/alerts")["alerts"]
        return alerts

    def answers(self) -> bool:
        """Whether it serves queries."""
        try:
            self._get("/api/v1/query?query=1")
        except (OSError, AssertionError):
            return False
        return True

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def prometheus(folder: Path, ports: Mapping[str, int], rules: str) -> Iterator[Prometheus]:
    """Run one until the block ends; `ports` are those to scrape, by the name of the scrape."""
    scrapes = [
        f"- {{job_name: {name}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n" for name, port in ports.items()
    ]
    (folder / "rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(CONFIGURATION + "".join(scrapes))
    port = free_port()
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    server = Prometheus(port)
    with _running(command, folder / "prometheus.log"):
        wait_for("Prometheus to answer", server.answers)
        yield server


@contextmanager
def node_exporter(folder: Path) -> Iterator[int]:
    """Run Debian's node_exporter with the textfiles of a folder until the block ends; yield its port."""
    port = free_port()
    command = [
        "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={folder}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with _running(command, folder / "node_exporter.log"):
        yield port


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait()
