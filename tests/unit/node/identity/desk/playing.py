"""A desk in a thread of the test's own loop, and the browser of the person who keeps it."""

import asyncio
import re
import secrets
import time
from contextlib import asynccontextmanager
from html import unescape

import aiohttp
from yarl import URL

from hansa.node.identity.desk.frame import Desk
from hansa.node.identity.desk.running import served_desk


def make_desk(title="Issuer desk", owner="City of Example", clock_s=time.monotonic):
    return Desk(title, owner, secrets.token_bytes, clock_s)


class Browser:
    """Keeps cookies, follows links, and fills in forms as a page holds them."""

    def __init__(self, http, address):
        self.http, self.address = http, address
        self.text, self.status, self.headers, self.path = "", 0, {}, ""

    async def open(self, path, **more):
        return await self._ask("GET", path, **more)

    async def send(self, path, fields, *, token=None, origin=None, **more):
        """Send a form with the token of the page that is shown, from the desk's own page."""
        found = re.search(r'name="token" value="([^"]+)"', self.text)
        token = (found[1] if found else "") if token is None else token
        headers = {"Origin": self.address if origin is None else origin}
        data = {"token": token} | fields
        return await self._ask("POST", path, data=data, headers=headers, **more)

    async def _ask(self, method, path, **more):
        ask = self.http.request(method, URL(self.address + path, encoded=True), **more)
        async with ask as response:
            self.text = unescape(await response.text())
            self.raw = await response.text()
            self.status, self.headers = response.status, response.headers
            self.path = response.url.path_qs
        return self


@asynccontextmanager
async def opened(desk):
    """Serve a desk, and open it by its link; gives the browser and the links that were told."""
    links = []
    async with served_desk(desk, links.append, 0) as address:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            browser = Browser(http, address)
            browser.links = links
            yield browser


def play(scene, add_pages=None, **more):
    """Play a scene with a desk, whose link was not followed yet."""

    async def run():
        desk = make_desk(**more)
        if add_pages is not None:
            add_pages(desk)
        async with opened(desk) as browser:
            await scene(desk, browser)

    asyncio.run(run())


def cut(link):
    """Cut a link to the path that a browser asks for."""
    return "/" + link.partition("/?")[2].join(("?", ""))
