"""A server of the page, and what stands in for encoders and a gallery."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from dfbench.drawing import DrawServer, read_drawing


def png(size: tuple[int, int] = (64, 64), colour: int = 255) -> bytes:
    """A PNG of one grey."""
    content = BytesIO()
    Image.new("L", size, colour).save(content, format="PNG")
    return content.getvalue()


class Told:
    """A search of two photos that keeps the drawings it is asked for."""

    def __init__(self) -> None:
        self.drawings: list[Image.Image] = []

    def about(self) -> dict[str, Any]:
        return {
            "method": "crossx",
            "seed": 3,
            "folder": "<b>photos</b>",
            "photos": 2,
            "classes": ["house", "star"],
        }

    def rank(self, png: bytes) -> list[dict[str, Any]]:
        self.drawings.append(read_drawing(png))
        return [
            {"index": 1, "name": "<i>b</i>.jpg", "score": 0.75},
            {"index": 0, "name": "a.jpg", "score": -0.5},
        ]

    def photo(self, index: int) -> bytes:
        content = BytesIO()
        Image.fromarray(np.full((8, 8, 3), (40, 200)[index], np.uint8)).save(content, "JPEG")
        return content.getvalue()


@contextmanager
def serving(server: DrawServer) -> Iterator[DrawServer]:
    """Let a server answer inside the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
