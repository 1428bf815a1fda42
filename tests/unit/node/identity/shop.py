"""A verifier served on this machine, as its operator sees it."""

import secrets
from contextlib import asynccontextmanager

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.ports import find_ports
from tests.unit.node.identity.issuer.playing import CHEAP, PASSPHRASE

from hansa.node.identity.folders import SIGNING, read_keys
from hansa.node.identity.verifier.app import create_app
from hansa.node.identity.verifier.folder import create_folder, open_verifier
from hansa.node.identity.verifier.pinned import PinnedRegistry
from hansa.node.identity.verifier.running import opened_registry
from hansa.node.service import wall_clock_ms


class Shop:
    """A verifier at work, and the commands beside it, which open the same files again."""

    def __init__(self, path):
        self.path = path

    def work(self, act):
        folder = open_verifier(self.path, PASSPHRASE, secrets.token_bytes)
        try:
            return act(folder)
        finally:
            folder.records.close()

    def ask(self):
        return self.work(lambda folder: folder.ask("adult", wall_clock_ms()))

    def report(self, asking):
        return self.work(lambda folder: folder.get_report(asking.session_id, wall_clock_ms()))


@asynccontextmanager
async def opened(path, issuers, fetch=None, authority=None, clock_ms=wall_clock_ms):
    """Serve a shop; with an authority, it is known by a certificate instead of a DID."""
    (port,) = find_ports()
    create_folder(
        path,
        url=f"http://127.0.0.1:{port}",
        name="Shop",
        passphrase=PASSPHRASE,
        draw=secrets.token_bytes,
        cost=CHEAP,
    )
    settings = path / "verifier.toml"
    head = certify(path, authority) if authority else ""
    settings.write_text(head + settings.read_text() + issuers)
    folder = open_verifier(path, PASSPHRASE, secrets.token_bytes)
    async with opened_registry(folder.settings) as usual:
        registry = PinnedRegistry(folder.settings.issuers, fetch, clock_ms) if fetch else usual
        runner = web.AppRunner(create_app(folder, registry))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield Shop(path)
        finally:
            await runner.cleanup()
            folder.records.close()


def certify(path, authority):
    """Certify the shop's key; returns the setting."""
    (key,) = read_keys(path, [SIGNING], PASSPHRASE)
    private = ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())
    certificate = authority.certify("shop", private.public_key())
    (path / "chain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return 'certificates = "chain.pem"\n'


def believe(issuer, url, types='["urn:example:resident:1"]'):
    return f"""
[[issuers]]
id = "{issuer}"
name = "City"
types = {types}
status = "{url}/status/"
"""
