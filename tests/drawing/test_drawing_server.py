from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from draw_bench import Told, png

from dfbench.drawing import DrawServer
from dfbench.errors import InvalidInput


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    server: DrawServer,
    method: str,
    place: str,
    body: bytes | None = None,
    *,
    token: str | None = None,
    **headers: str,
) -> Answer:
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    path = f"/{server.token if token is None else token}/{place}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answer


def test_page_and_its_parts_are_served_with_a_policy_that_allows_no_others(
    server: DrawServer,
) -> None:
    for place, kind in (("", "text/html"), ("style.css", "text/css"), ("draw.js", "text/javascr")):
        answer = ask(server, "GET", place)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert b"http" not in answer.body  # nothing from elsewhere


def test_only_this_machine_can_connect(server: DrawServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", server.server_address[1])):
        pass
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        socket.create_connection(("127.0.0.2", server.server_address[1]), timeout=2)


@pytest.mark.parametrize("token", ["", "x", "../../etc"])
@pytest.mark.parametrize("place", ["", "about", "photos/0"])
def test_nothing_is_served_without_the_secret(token: str, place: str, server: DrawServer) -> None:
    answer = ask(server, "GET", place, token=token)
    assert answer.status == 404
    assert b"photos" not in answer.body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "10.0.0.1"])
def test_other_names_of_the_host_are_refused(host: str, server: DrawServer) -> None:
    assert ask(server, "GET", "", Host=host).status == 403
    assert ask(server, "POST", "rank", png(), Host=host, Content_Type="image/png").status == 403


def test_other_origins_are_refused(server: DrawServer, told: Told) -> None:
    headers = {"Origin": "http://evil.example", "Content_Type": "image/png"}
    assert ask(server, "POST", "rank", png(), **headers).status == 403
    assert not told.drawings
    headers["Origin"] = f"http://127.0.0.1:{server.server_address[1]}"
    assert ask(server, "POST", "rank", png(), **headers).status == 200


def test_photos_are_served_by_number_alone(server: DrawServer) -> None:
    answer = ask(server, "GET", "photos/1")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.body.startswith(b"\xff\xd8")
    wrong = ("photos/2", "photos/-1", "photos/a.jpg", "photos/../server.py", "photos/%2e%2e/x")
    for place in (*wrong, "photos/1/", "photos/", "photos/9999999999", "server.py", "page/x"):
        assert ask(server, "GET", place).status == 404, place


def test_drawing_is_ranked(server: DrawServer, told: Told) -> None:
    answer = ask(server, "POST", "rank", png((32, 16)), Content_Type="image/png")
    assert [hit["index"] for hit in json.loads(answer.body)] == [1, 0]
    (drawing,) = told.drawings
    assert drawing.size == (32, 16)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"GIF89a" + bytes(50), {}, 415),
        (png((1100, 1100)), {}, 415),
        (png(), {"Content_Type": "text/plain"}, 415),
        (png(), {"Content_Type": "multipart/form-data"}, 415),
        (png() + bytes(300_000), {}, 413),
        (b"", {"Content_Length": "999999999999"}, 413),
        (b"", {"Content_Length": "-5"}, 411),
        (b"", {"Content_Length": "five"}, 411),
        (b"", {"Content_Length": "", "Transfer_Encoding": "chunked"}, 411),
    ],
    ids=["gif", "large", "text", "form", "long", "longer", "negative", "word", "chunked"],
)
def test_what_is_no_small_png_is_refused(
    body: bytes, headers: dict[str, str], status: int, server: DrawServer, told: Told
) -> None:
    answer = ask(server, "POST", "rank", body, **{"Content_Type": "image/png", **headers})
    assert answer.status == status
    assert answer.headers["Connection"] == "close"
    assert not told.drawings


def test_drawing_that_is_cut_short_is_refused(server: DrawServer, told: Told) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=20) as line:
        head = (
            f"POST /{server.token}/rank HTTP/1.1\r\nHost: {server.hosts[0]}\r\n"
            "Content-Type: image/png\r\nContent-Length: 500\r\n\r\n"
        )
        line.sendall(head.encode() + png()[:30])
        line.shutdown(socket.SHUT_WR)
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")
    assert not told.drawings


def test_other_methods_are_not_known(server: DrawServer) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
        assert ask(server, method, "about").status == 501


def test_port_in_use_is_refused_with_a_remedy(server: DrawServer, told: Told) -> None:
    with pytest.raises(InvalidInput, match=r"port \d+ cannot be used .*allowed: another --port"):
        DrawServer(told, server.server_address[1])
