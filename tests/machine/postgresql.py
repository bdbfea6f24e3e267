"""A PostgreSQL for several machines, by TCP and TLS, with the roles that docs/how-to/deploy.md asks for.

The machines share the host's network, so it is on loopback, under a name that only they know. The embedded server
listens on a Unix socket and has no TLS; a proxy takes TLS off, as pgbouncer does, and refuses whoever speaks in clear.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tests.own_postgresql import own_server

if TYPE_CHECKING:
    from tests.machine.machine import Machine

NAME = "db.shop.test"
AUTHORITY = "/etc/ssl/shop-ca.pem"  # in a machine
TASKS, OPERATORS, NOTIFIER = "shop_tasks", "shop_operators", "shop_notifier"
SSL_REQUEST, GSS_REQUEST = (b"\0\0\0\x08" + code.to_bytes(4) for code in (80877103, 80877104))


@dataclass(frozen=True)
class Database:
    """The database `shop`.

    Attributes:
        tasks: the URL that the jobs get; its role owns nothing.
        operators: the URL of the role that owns the tables.
        notifier: the URL of the sender of notices, whose role a test creates as docs/how-to/be-told.md says.
        administrator: the superuser's, over the socket of the server.
        authority: the certificate of the authority that vouches for the server.
    """

    tasks: str
    operators: str
    notifier: str
    administrator: str
    authority: str

    def introduce_to(self, *machines: Machine) -> None:
        """Let machines know the server's name, and whom to trust for it."""
        for machine in machines:
            with (machine.root / "etc/hosts").open("a") as hosts:
                hosts.write(f"127.0.0.1 {NAME}\n")
            path = machine.root / AUTHORITY.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.authority)

    @property
    def variables(self) -> dict[str, object]:
        """What a vault would have."""
        return {"vault_database_url": self.tasks, "vault_operators_database_url": self.operators}


@contextmanager
def postgresql(password: str) -> Iterator[Database]:
    """A server with the database `shop`; both roles' passwords contain this one."""
    with tempfile.TemporaryDirectory() as folder, own_server() as server:
        authority, context = _certificates(Path(folder))
        with psycopg.connect(server.url, autocommit=True) as connection:
            for role in (TASKS, OPERATORS):
                create = sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT 50 PASSWORD {}")
                connection.execute(create.format(sql.Identifier(role), f"{password}-{role}"))
            connection.execute(f"CREATE DATABASE shop OWNER {OPERATORS}".encode())
            [(rules,)] = connection.execute("SHOW hba_file").fetchall()
            Path(rules).write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            connection.execute("SELECT pg_reload_conf()")
        with by_tcp(server.socket, context) as port:
            tail = f"@{NAME}:{port}/shop?sslmode=verify-full&sslrootcert={AUTHORITY}"
            roles = (TASKS, OPERATORS, NOTIFIER)
            tasks, operators, notifier = (f"postgresql://{role}:{password}-{role}{tail}" for role in roles)
            administrator = str(server.running.get_uri(database="shop"))
            yield Database(tasks, operators, notifier, administrator, authority)


def _certificates(folder: Path) -> tuple[str, ssl.SSLContext]:
    """An authority's certificate, and the server's side of TLS with a certificate for its name."""
    new = ("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    ca, server = (("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}") for name in ("ca", NAME))
    names = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName=DNS:{NAME}")
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    for options in (ca, (*server, *names, *leaf)):
        subprocess.run([*new, *options], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{NAME}.pem", folder / f"{NAME}.key")
    return (folder / "ca.pem").read_text(), context


@contextmanager
def by_tcp(path: Path, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A loopback port that forwards to a Unix socket, and only what comes by TLS if a context is given."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if tls:
                await _encrypt(reader, writer, tls)
            there, back = await asyncio.open_unix_connection(str(path))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))

    loop = asyncio.new_event_loop()
    apart = ThreadPoolExecutor(1)  # playwright, of other tests, keeps a loop in this thread
    server = apart.submit(loop.run_until_complete, asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)).result()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        apart.submit(loop.run_until_complete, asyncio.sleep(0)).result()
        apart.shutdown()
        loop.close()


async def _encrypt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> None:
    """Start TLS as a client of PostgreSQL asks for it (the manual, "Message Flow")."""
    while (request := await reader.readexactly(8)) == GSS_REQUEST:
        writer.write(b"N")
    if request != SSL_REQUEST:
        raise ConnectionError("in clear")
    writer.write(b"S")
    await writer.drain()
    await writer.start_tls(tls)
