"""The guide's nginx and Caddy in front of the page's gate, as processes of this machine."""

from __future__ import annotations

import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer
from typing import TYPE_CHECKING

from tests.documented import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GUIDE = "how-to/serve-the-page.md"
NAME, PASSWORD = "page.example", "sw0rdfish"
NGINX = """
user root;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
# Its other ports are those of another Caddy on this machine.
CADDY = "{\n    admin off\n    auto_https disable_redirects\n}\n"


class Authenticator(BaseHTTPRequestHandler):
    """What oauth2-proxy answers to a proxy (docs "Configuring for use with the Nginx auth_request directive").

    It is in neither Debian nor PyPI. Here a cookie says who has logged in, and in which groups.
    """

    def do_GET(self) -> None:
        """Say who has logged in, or offer the login."""
        if self.path.startswith("/oauth2/sign_in"):
            self._answer(403, b"log in here")
            return
        user, _, groups = self.headers.get("Cookie", "").removeprefix("who=").partition("/")
        named = {"X-Auth-Request-User": user} | ({"X-Auth-Request-Groups": groups} if groups else {})
        self._answer(202 if user else 401, b"", named if user else {})

    do_POST = do_GET  # noqa: N815 - http.server's name; nginx asks with the form's method

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def address_string(self) -> str:
        """The client of a unix socket has no address."""
        return "-"

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def authenticator(path: Path) -> Iterator[None]:
    """It, on a unix socket."""
    with ThreadingUnixStreamServer(str(path), Authenticator) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def certify(folder: Path) -> None:
    """Make a certificate for the page's name, which vouches for itself."""
    new = ("openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    names = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}")
    files = ("-keyout", f"{folder}/{NAME}.key", "-out", f"{folder}/{NAME}.pem")
    subprocess.run([*new, *files, *names], check=True, capture_output=True)


def example(program: str, *, with_oauth2_proxy: bool) -> str:
    """The guide's configuration of a program."""
    by_password, by_oauth2_proxy = (block.text for block in blocks(GUIDE) if block.language == program)
    return by_oauth2_proxy if with_oauth2_proxy else by_password


@contextmanager
def nginx(folder: Path, port: int, *, with_oauth2_proxy: bool) -> Iterator[None]:
    """nginx with the guide's server; its files and sockets are in a folder, its port is another."""
    hashed = printed("openssl", "passwd", "-apr1", "-stdin", stdin=PASSWORD)
    (folder / "clocks-page.htpasswd").write_text(f"anna:{hashed}\n")
    site = example("nginx", with_oauth2_proxy=with_oauth2_proxy).replace("listen 443", f"listen 127.0.0.1:{port}")
    for place in ("/etc/ssl/", "/etc/nginx/", "/run/"):
        site = site.replace(place, f"{folder}/")
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    with _running("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")):
        yield


@contextmanager
def caddy(folder: Path, port: int, *, with_oauth2_proxy: bool) -> Iterator[None]:
    """Caddy with the guide's site; its files and sockets are in a folder, its port is another."""
    hashed = printed("caddy", "hash-password", "--plaintext", PASSWORD)
    site = example("caddy", with_oauth2_proxy=with_oauth2_proxy).replace("HASH", hashed)
    site = site.replace(f"{NAME} {{", f"{NAME}:{port} {{\n    bind 127.0.0.1", 1)
    for place in ("/etc/ssl/", "/run/"):
        site = site.replace(place, f"{folder}/")
    (folder / "Caddyfile").write_text(CADDY + site)
    with _running("caddy", "run", "--config", str(folder / "Caddyfile")):
        yield


def printed(*command: str, stdin: str = "") -> str:
    """What a command prints."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def _running(*command: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
