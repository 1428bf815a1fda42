"""Where desks listen."""

import asyncio
import socket

import pytest
from tests.unit.node.identity.desk.playing import make_desk

from hansa.kernel.errors import Unavailable
from hansa.node.identity.desk.running import HOST, PORT, PORTS, served_desk


def test_desks_stand_beside_each_other_on_loopback_alone():
    async def run():
        links = []
        async with (
            served_desk(make_desk(), links.append) as first,
            served_desk(make_desk(), links.append) as second,
        ):
            assert first != second
            for address in (first, second):
                assert address.startswith(f"http://{HOST}:")
                assert PORT <= int(address.rpartition(":")[2]) < PORT + PORTS
            assert [link.partition("/?")[0] for link in links] == [first, second]

    asyncio.run(run())


def test_a_port_that_is_asked_for_and_taken_is_told():
    async def run(port):
        async with served_desk(make_desk(), print, port):
            raise AssertionError("it must not be served")

    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on {HOST}:{port}"):
            asyncio.run(run(port))
