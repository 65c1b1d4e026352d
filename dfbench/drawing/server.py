"""The server of the drawing page, restricted to this machine and to users with its link.

It listens on the loopback interface. Pages of other sites could still reach it through the user's
browser. Therefore every URL starts with a secret that only the printed link contains, requests for
another host name (DNS rebinding) or from another origin are refused, and photos are requested by
index, never by file path.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Protocol

from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.drawing.photo_search import MOST_BYTES, RefusedDrawing
from dfbench.errors import DfbenchError, InvalidInput

_LOOPBACK = "127.0.0.1"
_SECONDS = 10
"""Time limit for a client to send its announced request body."""
_PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "draw.js": ("draw.js", "text/javascript; charset=utf-8"),
}
_PHOTO = re.compile(r"photos/([0-9]{1,9})")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_KEPT = {"image/jpeg": "private, max-age=3600"}
"""Content that browsers may cache; URLs of photos change with every start."""


class Search(Protocol):
    """The server's view of a search; see `PhotoSearch`."""

    def about(self) -> Mapping[str, Any]:
        """Information on the run and the gallery for the page."""

    def rank(self, png: bytes) -> list[dict[str, Any]]:
        """The nearest photos, best first. Raises `DfbenchError`."""

    def photo(self, index: int) -> bytes:
        """A photo as JPEG. Raises `IndexError` or `UnreadableImageError`."""


class DrawServer(ThreadingHTTPServer):
    """Serves the page until it is closed; `port` 0 selects a free port.

    Raises `InvalidInput` for an unavailable port.
    """

    daemon_threads = True

    def __init__(self, search: Search, port: int = 0) -> None:
        self.search = search
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((_LOOPBACK, port), _Handler)
        except OSError as fault:
            raise InvalidInput(
                f"port {port} cannot be used ({fault.strerror or fault}); allowed: another --port, "
                "or leave it out for a free port"
            ) from fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that close their connection, as they do when drawing continues."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Accepted values of the Host header."""
        port = self.server_address[1]
        return f"{_LOOPBACK}:{port}", f"localhost:{port}"

    @property
    def url(self) -> str:
        """The URL of the page, including the secret."""
        return f"http://{self.hosts[0]}/{self.token}/"


class _Refused(Exception):
    """Turned into an error response."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: DrawServer
    server_version = "dfbench"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def do_GET(self) -> None:
        self._answered(self._get)

    def do_POST(self) -> None:
        self._answered(self._post)

    def log_message(self, *_: Any) -> None:
        """Log nothing: the link is the only output."""

    def _answered(self, answer: Callable[[str], tuple[str, bytes]]) -> None:
        try:
            kind, content = answer(self._place())
            self._send(HTTPStatus.OK, kind, content)
        except _Refused as refused:
            # The rest of the request is not read, so the connection cannot be reused.
            self.close_connection = True
            self._send(refused.status, "text/plain; charset=utf-8", f"{refused}\n".encode())

    def _place(self) -> str:
        """The part of the URL path after the secret."""
        if self.headers.get("Host") not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, "unknown host")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}:
            raise _Refused(HTTPStatus.FORBIDDEN, "another origin")
        token, slash, place = self.path.removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode(), self.server.token.encode())
        if not known or not slash:
            raise _Refused(HTTPStatus.NOT_FOUND, "not found: use the printed link")
        return place

    def _get(self, place: str) -> tuple[str, bytes]:
        if place in _PAGE:
            name, kind = _PAGE[place]
            return kind, files("dfbench.drawing").joinpath("page", name).read_bytes()
        if place == "about":
            return _json(self.server.search.about())
        photo = _PHOTO.fullmatch(place)
        if photo is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "not found")
        try:
            return "image/jpeg", self.server.search.photo(int(photo[1]))
        except (IndexError, UnreadableImageError) as fault:
            raise _Refused(HTTPStatus.NOT_FOUND, "no such photo") from fault

    def _post(self, place: str) -> tuple[str, bytes]:
        if place != "rank":
            raise _Refused(HTTPStatus.NOT_FOUND, "not found")
        if self.headers.get("Content-Type") != "image/png":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not a PNG; allowed: image/png")
        try:
            return _json(self.server.search.rank(self._body()))
        except RefusedDrawing as fault:
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(fault)) from fault
        except DfbenchError as fault:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(fault)) from fault

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if int(length) > MOST_BYTES:
            raise _Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"allowed: at most {MOST_BYTES} bytes"
            )
        try:
            content = self.rfile.read(int(length))
        except TimeoutError as fault:
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT, "the drawing was not received") from fault
        if len(content) < int(length):
            raise _Refused(HTTPStatus.BAD_REQUEST, "the drawing is truncated")
        return content

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", _KEPT.get(kind, "no-store"))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _json(content: Any) -> tuple[str, bytes]:
    return "application/json", json.dumps(content, allow_nan=False).encode()
