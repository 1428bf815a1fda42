"""A city office, a shop and a person's wallet as services on this machine, for one format."""

import asyncio
import json
import secrets
import ssl
from contextlib import ExitStack, asynccontextmanager

from aiohttp import web
from tests.ports import find_ports
from tests.unit.identity.verifier.certifying import certify, certify_names, found_authority
from tests.unit.node.identity.issuer.playing import (
    CHEAP,
    CLIENTS,
    PASSPHRASE,
    make_folder,
)
from tests.unit.node.identity.issuer.playing import opened as opened_office

from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import resolve_did_jwk
from hansa.node.identity.fetching import FetchRules
from hansa.node.identity.folders import SIGNING, read_keys
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.presenting import Presenter
from hansa.node.identity.holder.receiving import Receiver
from hansa.node.identity.holder.vault import create_vault, open_vault
from hansa.node.identity.verifier.app import create_app
from hansa.node.identity.verifier.folder import create_folder, open_verifier
from hansa.node.identity.verifier.running import opened_registry
from hansa.node.service import wall_clock_ms

KEPT = "a holder's own"


def write_pem(path, *certificates):
    """Write certificates (DER) as PEM."""
    path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, certificates)))


def found_office(path, kinds, *, head="", names=None, is_certified=True):
    """Make an issuer with these credentials, whose key has a certificate; returns its address."""
    first = 'certificates = "chain.pem"\n' if is_certified else ""
    url = make_folder(path, head=first + head, more=kinds + CLIENTS)
    (key,) = read_keys(path, [SIGNING], PASSPHRASE)
    now_ms = wall_clock_ms()
    write_pem(
        path / "chain.pem", certify_names(key, names, now_ms) if names else certify(key, now_ms)
    )
    write_pem(path / "roots.pem", found_authority(now_ms).root)
    return url


class Holder:
    """A person with our wallet; it works in a thread, as from the command line."""

    def __init__(self, vault, roots=()):
        self.vault = vault
        rules = FetchRules(may_ask_loopback=True)
        self.carrier = Carrier(rules, secrets.token_bytes, wall_clock_ms)
        self.receiver = Receiver(vault, self.carrier)
        self.presenter = Presenter(vault, self.carrier, self.carrier.resolve, roots)

    async def receive(self, uri, copies=1):
        """Receive what is offered; returns what is kept."""
        return await asyncio.to_thread(self._receive, uri, copies)

    def _receive(self, uri, copies):
        offer, source = self.receiver.read_offer(uri)
        owed = self.receiver.redeem(offer, source, "", copies)
        return [each for one in owed for each in self.receiver.keep(self.receiver.fetch(one))]

    async def ask(self, uri):
        """Fetch a request, and find what answers it."""
        return await asyncio.to_thread(self.presenter.ask, uri)

    async def present(self, uri):
        """Answer a request."""
        asked = await self.ask(uri)
        await asyncio.to_thread(self.presenter.present, asked)
        return asked


class Shop:
    """A verifier at work, and the commands beside it."""

    def __init__(self, path):
        self.path = path

    def work(self, act):
        """Do something as a command does, which opens the same files."""
        folder = open_verifier(self.path, PASSPHRASE, secrets.token_bytes)
        try:
            return act(folder)
        finally:
            folder.records.close()

    def ask(self, question="q"):
        return self.work(lambda folder: folder.ask(question, wall_clock_ms()))

    def report(self, asking):
        return self.work(lambda folder: folder.get_report(asking.session_id, wall_clock_ms()))


@asynccontextmanager
async def opened_shop(path, query, issuers, *, head="", prepare=lambda path: None):
    """Serve a verifier that asks one question, `q`, and believes these issuers."""
    (port,) = find_ports()
    create_folder(
        path,
        url=f"http://127.0.0.1:{port}",
        name="Shop",
        passphrase=PASSPHRASE,
        draw=secrets.token_bytes,
        cost=CHEAP,
    )
    (path / "q.json").write_text(json.dumps(query))
    settings = path / "verifier.toml"
    question = '\n[[questions]]\nid = "q"\npurpose = "to try"\nquery = "q.json"\n'
    settings.write_text(head + settings.read_text() + question + issuers)
    prepare(path)
    folder = open_verifier(path, PASSPHRASE, secrets.token_bytes)
    async with opened_registry(folder.settings, folder.roots) as registry:
        runner = web.AppRunner(create_app(folder, registry))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield Shop(path)
        finally:
            await runner.cleanup()
            folder.records.close()


def believe(issuer, url, types, **more):
    """Write what lets a verifier believe an issuer."""
    lines = "".join(f'{name} = "{value}"\n' for name, value in more.items())
    return (
        f'[[issuers]]\nid = "{issuer}"\nname = "City"\ntypes = {json.dumps(types)}\n'
        f'status = "{url}/status/"\n{lines}'
    )


def play(tmp_path, url, scene):
    """Play a scene with an office that was found, and a holder."""
    create_vault(tmp_path / "wallet", KEPT, secrets.token_bytes, CHEAP)

    async def run(holder):
        async with opened_office(tmp_path / "office", url) as office:
            await scene(office, holder)

    with ExitStack() as stack:
        vault = stack.enter_context(open_vault(tmp_path / "wallet", KEPT, secrets.token_bytes))
        asyncio.run(run(Holder(vault)))


def list_faults(report):
    """List the faults of a report, by what was looked at."""
    return {(each.check.value, each.fault) for each in report.findings if each.fault}


def resolve(did):
    """Resolve a did:jwk."""
    return resolve_did_jwk(read_did(did))
