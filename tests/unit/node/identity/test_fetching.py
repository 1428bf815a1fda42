"""What strangers point to is fetched from outside alone, over TLS, bounded, without detours."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from tests.authority import Authority
from tests.running import run_fake

from hansa.identity.faults import Fault, Unsound
from hansa.identity.wallet.conversation import HttpRequest, HttpResponse, post_form
from hansa.kernel.errors import Unavailable
from hansa.node.identity.fetching import Fetcher, FetchRules, is_outside

INSIDE = FetchRules(may_ask_inside=True)


class Names(AbstractResolver):
    """Names that lead where a test says."""

    def __init__(self, *addresses: str, port: int = 0):
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host, port=0, family=0):
        self.asked.append(host)
        return [
            {"hostname": host, "host": each, "port": port, "family": 2, "proto": 0, "flags": 0}
            for each in self.addresses
        ]

    async def close(self):
        pass


def fetch(url, rules=INSIDE, resolver=None, tls=True, bytes_max=1_000):
    async def run():
        async with Fetcher(rules, resolver, tls) as fetcher:
            return await fetcher.fetch(url, bytes_max)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A web server under a certificate of our own authority; yields its URL and how to trust it."""
    folder = tmp_path_factory.mktemp("tls")
    Authority(folder).issue("server", is_server=True)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(folder / "server.crt", folder / "server.key")
    trusted = ssl.create_default_context(cafile=str(folder / "ca.crt"))

    async def give(_request):
        return web.Response(body=b"x" * 1_000)

    async def lead(_request):
        raise web.HTTPFound("/give")

    async def fail(_request):
        return web.Response(status=500)

    async def bomb(_request):
        return web.Response(body=b"\x1f\x8b", headers={"content-encoding": "gzip"})

    routes = [
        web.get("/give", give),
        web.get("/lead", lead),
        web.get("/fail", fail),
        web.get("/bomb", bomb),
    ]
    with run_fake(*routes, tls=served) as url:
        yield url, trusted


def test_what_is_there_is_fetched(server):
    url, trusted = server
    assert fetch(f"{url}/give", tls=trusted) == b"x" * 1_000


def test_an_answer_is_bounded(server):
    url, trusted = server
    with pytest.raises(Unsound) as caught:
        fetch(f"{url}/give", tls=trusted, bytes_max=999)
    assert caught.value.fault is Fault.TOO_LARGE


def test_nothing_is_decompressed(server):
    url, trusted = server
    assert fetch(f"{url}/bomb", tls=trusted) == b"\x1f\x8b"


@pytest.mark.parametrize(("path", "error"), [("lead", Unavailable), ("fail", Unavailable)])
def test_a_detour_or_a_fault_is_no_answer(server, path, error):
    url, trusted = server
    with pytest.raises(error, match="HTTP"):
        fetch(f"{url}/{path}", tls=trusted)


def test_nothing_there_is_said(server):
    url, trusted = server
    with pytest.raises(Unsound, match="nothing at"):
        fetch(f"{url}/other", tls=trusted)


def test_a_certificate_that_nobody_vouches_for_is_not_believed(server):
    url, _ = server
    with pytest.raises(Unavailable, match="does not answer"):
        fetch(f"{url}/give")


def test_a_name_that_leads_inside_is_not_asked(server):
    url, trusted = server
    with pytest.raises(Unsound, match="which is inside") as caught:
        fetch(f"{url}/give", FetchRules(), tls=trusted)
    assert caught.value.fault is Fault.UNRESOLVED


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
    ],
)
def test_one_address_inside_is_enough(addresses):
    names = Names(*addresses)
    with pytest.raises(Unsound, match="which is inside"):
        fetch("https://example.com/", FetchRules(), names)
    assert names.asked == ["example.com"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "file:///etc/passwd",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://EXAMPLE..com/",
        "https:///x",
        "https://[",
        "",
    ],
)
def test_an_address_that_is_no_name_over_tls_is_not_asked(url):
    names = Names("8.8.8.8")
    with pytest.raises(Unsound) as caught:
        fetch(url, FetchRules(), names)
    assert caught.value.fault is Fault.UNRESOLVED
    assert names.asked == []


def test_only_hosts_of_the_list_are_asked():
    names = Names("127.0.0.1")
    rules = FetchRules(hosts=frozenset({"office.example"}))
    with pytest.raises(Unsound, match="not among the hosts"):
        fetch("https://example.com/", rules, names)
    assert names.asked == []
    with pytest.raises(Unsound, match="which is inside"):
        fetch("https://office.example/", rules, names)


def test_who_does_not_answer_may_later():
    names = Names("127.0.0.1")
    with pytest.raises(Unavailable, match=r"example\.com:1 does not answer: nothing listens there"):
        fetch("https://example.com:1/", INSIDE, names)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("0.0.0.0", False),  # noqa: S104 - is refused
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
        ("::", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
        ("64:ff9b:1::7f00:1", False),
        ("name", False),
    ],
)
def test_addresses_of_the_public_internet_are_outside(address, expected):
    assert is_outside(address) is expected


def carry(request, rules, bytes_max=1_000):
    async def run():
        async with Fetcher(rules) as fetcher:
            return await fetcher.carry(request, bytes_max)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def near():
    """A web server without TLS on this machine."""

    async def echo(request):
        form = dict(await request.post())
        told = {"method": request.method, "form": form, "dpop": request.headers.get("dpop", "")}
        return web.json_response(told, status=202, headers={"X-Kind": "echo"})

    async def lead(_request):
        raise web.HTTPFound("/echo")

    async def flood(_request):
        return web.Response(body=b"x" * 2_000)

    routes = (web.post("/echo", echo), web.get("/lead", lead), web.get("/flood", flood))
    with run_fake(*routes) as url:
        yield url


TRYING = FetchRules(may_ask_loopback=True)


def test_a_conversation_is_carried_whatever_comes_back(near):
    found = carry(post_form(f"{near}/echo", {"a": "b c&"}, {"dpop": "proof"}), TRYING)
    assert (found.status, found.headers["x-kind"]) == (202, "echo")
    assert found.body == b'{"method": "POST", "form": {"a": "b c&"}, "dpop": "proof"}'
    assert carry(HttpRequest("GET", f"{near}/none"), TRYING).status == 404


def test_a_redirect_is_told_and_not_followed(near):
    found = carry(HttpRequest("GET", f"{near}/lead"), TRYING)
    assert isinstance(found, HttpResponse)
    assert (found.status, found.headers["location"]) == (302, "/echo")


def test_an_answer_in_a_conversation_is_bounded(near):
    with pytest.raises(Unsound) as caught:
        carry(HttpRequest("GET", f"{near}/flood"), TRYING)
    assert caught.value.fault is Fault.TOO_LARGE


@pytest.mark.parametrize("rules", [FetchRules(), INSIDE])
def test_this_machine_is_asked_only_to_try_things_out(near, rules):
    with pytest.raises(Unsound, match="only https addresses"):
        carry(HttpRequest("GET", f"{near}/lead"), rules)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/", "http://example.com/", "http://x@127.0.0.1/", "ftp://127.0.0.1/"]
)
def test_to_try_things_out_no_other_address_is_asked(url):
    with pytest.raises(Unsound, match="only https addresses"):
        carry(HttpRequest("GET", url), TRYING)
