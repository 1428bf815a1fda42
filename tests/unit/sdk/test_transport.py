"""What is said where no node answers, or what answers is none."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager

import pytest

from hansa.kernel.errors import Unavailable
from hansa.sdk.client import Client

NO_ROUTE = b'HTTP/1.1 404 Not Found\r\n\r\n{"detail": "there is no such route"}'


@contextmanager
def listening(said):
    """Run something that says this to whoever connects, whatever it is told."""
    with socketserver.TCPServer(("127.0.0.1", 0), Saying) as server:
        server.said = said
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class Saying(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(self.server.said)


@pytest.mark.parametrize(
    ("said", "scheme", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "http", "what listens there does not speak HTTP; is it"),
        (
            b"HTTP/1.1 404 Not Found\r\n\r\n",
            "http",
            "is no node of Hansa: 404 Not Found, and no JSON; another",
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\n<html>",
            "http",
            "is no node of Hansa: its genesis is none; another",
        ),
        (NO_ROUTE, "http", "it has no genesis, and says there is no such route"),
        (b"", "http", "it broke the connection off; is it a node, or"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", "https", "it does not speak TLS; does its address begin"),
    ],
)
def test_what_answers_there_is_told_where_it_is_no_node(said, scheme, words):
    with (
        listening(said) as port,
        Client(f"{scheme}://127.0.0.1:{port}") as client,
        pytest.raises(Unavailable, match=words) as raised,
    ):
        client.get_network()
    assert "is given with --node" in raised.value.message


def test_nobody_there():
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unavailable) as raised:
        client.get_status()
    assert "nothing listens there; is it running there?" in raised.value.message
