"""An issuer served on this machine, as its operator and a person’s browser see it."""

import asyncio
import re
import secrets
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from aiohttp import web
from tests.ports import find_ports
from tests.running import in_a_loop

from hansa.node.identity.issuer.app import create_app
from hansa.node.identity.issuer.folder import create_folder, open_issuer
from hansa.node.service import wall_clock_ms
from hansa.passphrases import ScryptCost

CHEAP = ScryptCost(n=2, r=1, p=1)
PASSPHRASE = "an officer's own"
MEI = {"given_name": "Mei", "family_name": "Tan", "birthdate": "1990-01-01"}
REDIRECT = "http://127.0.0.1:1/back"
CLIENTS = f'\n[clients]\n"wallet" = ["{REDIRECT}"]\n'


def make_folder(path, *, head="", more=CLIENTS, edit=str):
    """Make an issuer's folder, with settings around the template's and changed in it.

    Returns its address.
    """
    (port,) = find_ports()
    url = f"http://127.0.0.1:{port}"
    create_folder(
        path,
        url=url,
        name="City of Example",
        passphrase=PASSPHRASE,
        draw=secrets.token_bytes,
        cost=CHEAP,
    )
    settings = path / "issuer.toml"
    settings.write_text(head + edit(settings.read_text()) + more)
    return url


class Office:
    """An issuer at work, and the officer’s side of it, which opens the same files again."""

    def __init__(self, path, http, url):
        self.path, self.http, self.url = path, http, url

    def offer(self, *wanted, needs_tx_code=True):
        chosen = wanted or (("resident", MEI),)
        return self.work(
            lambda desk: desk.offer(chosen, wall_clock_ms(), needs_tx_code=needs_tx_code)
        )

    def work(self, act):
        desk = open_issuer(self.path, PASSPHRASE, secrets.token_bytes)
        try:
            return act(desk)
        finally:
            desk.close()

    async def get(self, path, **headers):
        return await self._ask("GET", path, headers=headers)

    async def post(self, path, **more):
        return await self._ask("POST", path, **more)

    async def _ask(self, method, path, **more):
        ask = self.http.request(method, self.url + path, allow_redirects=False, **more)
        async with ask as response:
            await response.read()
            return response


async def decide(office, address, *, origin="", **form):
    """Do what a browser does: load the page, send its form; returns the answer."""
    async with office.http.get(address) as response:
        page = await response.text()
        assert response.status == 200
        assert "script" not in response.headers["Content-Security-Policy"].replace("'none'", "")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    headers = {"Origin": origin or office.url}
    post = office.http.post(
        f"{office.url}/authorize", data=hidden | form, headers=headers, allow_redirects=False
    )
    async with post as response:
        return response.status, response.headers.get("Location", ""), await response.text()


@asynccontextmanager
async def opened(path, url, **more):
    service = open_issuer(path, PASSPHRASE, secrets.token_bytes)
    runner = web.AppRunner(create_app(service, **more))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(url.rpartition(":")[2])).start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Office(path, http, url)
    finally:
        await runner.cleanup()
        service.close()


def play(path, scene, *, head="", more=CLIENTS, edit=str, **clocks):
    """Play a scene with an issuer that is served meanwhile."""
    url = make_folder(path / "issuer", head=head, more=more, edit=edit)

    async def run():
        async with opened(path / "issuer", url, **clocks) as office:
            await scene(office)

    asyncio.run(run())


@contextmanager
def run_issuer(path, more=CLIENTS):
    """Serve an issuer from a loop of its own meanwhile."""
    url = make_folder(path, more=more)
    service = open_issuer(path, PASSPHRASE, secrets.token_bytes)
    made = []

    async def start():
        runner = web.AppRunner(create_app(service))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(url.rpartition(":")[2])).start()
        made.append(runner)
        return url

    async def stop():
        await made[0].cleanup()

    with in_a_loop(start, stop):
        yield Office(path, None, url)
    service.close()
