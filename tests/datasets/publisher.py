"""CIFAR-10 and Quick, Draw! in little, on a server of this machine that can be made to fail."""

from __future__ import annotations

import io
import re
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from dfbench.datasets.cifar_quickdraw.source import PublishedSource, published

COUNT = 30
"""Drawings of a category that are fetched; four more are published."""
A_BATCH = 20
"""Photos in each of the six batches: two of each of ten classes."""
TAR = "cifar-10-python.tar.gz"


def python2_pickle(data: NDArray[np.uint8], labels: list[int]) -> bytes:
    """A batch as Python 2 and its numpy pickled it (protocol 2)."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    empty = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text(b"b") + b"tR"
    )
    dtype = b"cnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + number(-1) + number(-1) + b"K\x00tb"
    shape = number(data.shape[0]) + number(data.shape[1]) + b"\x86"
    content = b"T" + struct.pack("<i", data.size) + data.tobytes()
    array = empty + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def cifar_tar(rng: np.random.RandomState, *, first: bytes | None = None) -> bytes:
    """The archive; the first test photo is a training photo too. `first` replaces a batch."""
    buffer = io.BytesIO()
    shared = rng.randint(0, 256, 3072).astype(np.uint8)
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
            data = rng.randint(0, 256, (A_BATCH, 3072)).astype(np.uint8)
            if name in ("data_batch_3", "test_batch"):
                data[0] = shared
            batch = python2_pickle(data, [i % 10 for i in range(A_BATCH)])
            batch = first if first is not None and name == "data_batch_1" else batch
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(batch)
            archive.addfile(info, io.BytesIO(batch))
    return buffer.getvalue()


def bitmaps(rng: np.random.RandomState, count: int = COUNT + 4) -> bytes:
    """A file of drawings, ink 255 on 0."""
    buffer = io.BytesIO()
    np.save(buffer, (rng.rand(count, 784) < 0.2).astype(np.uint8) * 255)
    return buffer.getvalue()


@dataclass
class Request:
    """What was asked, and the answer that a fault may spoil."""

    path: str
    start: int | None
    """First byte asked for; None for the whole file."""
    status: int
    headers: dict[str, str]
    body: bytes
    cut: int | None = None
    """Bytes of the body after which the connection breaks."""


Fault = Callable[[Request], None]


@dataclass
class Publisher:
    """Files by path, the requests that came, and what goes wrong with the next ones."""

    files: dict[str, bytes]
    versions: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    """One for each of the next requests."""
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    def answer(self, path: str, asked: str) -> Request:
        """The answer to a request for `path` with this `Range`."""
        content = self.files.get(path)
        if content is None:
            request = Request(path, None, 404, {}, b"")
        else:
            request = self._given(path, content, asked)
        self.requests.append(request)
        if self.faults:
            self.faults.pop(0)(request)
        return request

    def _given(self, path: str, content: bytes, asked: str) -> Request:
        headers = {"ETag": self.versions.get(path, '"one"')}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        if found is None:
            return Request(path, None, 200, headers, content)
        start, last = int(found[1]), int(found[2] or len(content) - 1)
        if start >= len(content):
            return Request(path, start, 416, {}, b"")
        body = content[start : last + 1]
        headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{len(content)}"
        return Request(path, start, 206, headers, body)

    @property
    def bytes_sent(self) -> int:
        return sum(len(request.body[: request.cut]) for request in self.requests)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen, until the block ends."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            publisher = self

            def do_GET(self) -> None:
                answer = self.publisher.answer(unquote(self.path), self.headers.get("Range", ""))
                self.send_response(answer.status)
                for name, value in {
                    "Content-Length": str(len(answer.body)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
                if answer.cut is not None:
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def little_source(publisher: Publisher) -> PublishedSource:
    """What `publisher` has, described as the packaged source describes the real thing."""
    real = published()
    tar = publisher.files[f"/{TAR}"]
    photos = {"url": f"{publisher.address}/{TAR}", "length": len(tar)}
    photos["md5"] = md5(tar, usedforsecurity=False).hexdigest()
    drawings = {"url": f"{publisher.address}/numpy_bitmap", "count": COUNT}
    return real.model_copy(
        update={
            "photos": real.photos.model_copy(update=photos),
            "drawings": real.drawings.model_copy(update=drawings),
        }
    )


def little_files() -> dict[str, bytes]:
    """All that is published, by path."""
    rng = np.random.RandomState(0)
    names = [shared.category for shared in published().classes]
    return {
        f"/{TAR}": cifar_tar(rng),
        **{f"/numpy_bitmap/{name}.npy": bitmaps(rng) for name in names},
    }
