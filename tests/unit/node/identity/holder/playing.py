"""A verifier’s counter on this machine, and a holder who types commands at a wallet."""

import io
import json
import secrets
from contextlib import contextmanager
from types import SimpleNamespace

from aiohttp import web
from tests.running import run_fake
from tests.unit.node.identity.issuer.playing import CHEAP

from hansa.cli.main import main
from hansa.identity.dcql.queries import read_query
from hansa.identity.faults import Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import resolve_did_jwk, write_did_jwk
from hansa.identity.store import MemoryStore
from hansa.identity.verifier.registry import CredentialStatus, IssuerKey, Standing
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.identity.verifier.sessions import Verifier, VerifierSettings
from hansa.node.identity.holder.vault import create_vault
from hansa.node.service import wall_clock_ms

PASSPHRASE = "a holder's own"
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:example:resident:1"]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}


class Registry:
    """Believes every issuer that is known by its own did:jwk."""

    async def find_issuer_key(self, issuer, header, _time_ms):
        document = resolve_did_jwk(read_did(issuer))
        return IssuerKey(issuer, document.find_key(header["kid"], Relationship.ASSERTION))

    async def find_standing(self, *_):
        return Standing(is_accredited=True, text="believed")

    async def get_status(self, *_):
        return CredentialStatus(0, 0)

    async def find_anchor_ms(self, *_):
        return None


class Counter:
    """A verifier's counter on this machine."""

    def __init__(self):
        self.verifier = None
        self.is_broken = False

    def found(self, url, identity):
        self.verifier = Verifier(
            VerifierSettings(url=url),
            identity,
            MemoryStore(),
            Registry(),
            secrets.token_bytes,
        )

    def ask(self, query=QUERY, **more):
        return self.verifier.ask(read_query(query), "to try", wall_clock_ms(), **more)

    def report(self, asking):
        return self.verifier.get_report(asking.session_id, "", wall_clock_ms())

    async def give(self, request):
        nonce = (await request.post()).get("wallet_nonce", "")
        token = self.verifier.give_request(request.match_info["id"], nonce, wall_clock_ms())
        return web.Response(text=token)

    async def take(self, request):
        if self.is_broken:
            return web.json_response({"error": "server_error"}, status=500)
        form = dict(await request.post())
        try:
            told = await self.verifier.take_answer(request.match_info["id"], form, wall_clock_ms())
        except Unsound as error:
            return web.json_response({"error": error.message}, status=400)
        return web.json_response(told)


def read_no_ledger(issuer, _):
    """Read the status of credentials of which none is of a DID on a ledger."""
    raise AssertionError(issuer)


def make_identity():
    """Make a verifier that is known by a did:jwk."""
    key = generate_private_key(KeyKind.P256, secrets.token_bytes)
    did = write_did_jwk(key.public_key)
    return VerifierIdentity.of_did(did, f"{did}#0", key)


@contextmanager
def run_counter(identity=None):
    """Serve a counter on this machine."""
    counter = Counter()
    routes = (
        web.post("/requests/{id}", counter.give),
        web.post("/answers/{id}", counter.take),
    )
    with run_fake(*routes) as url:
        counter.found(url, identity or make_identity())
        yield counter


def open_wallet(folder, monkeypatch, capsys):
    """Make a wallet; gives a function that types its commands."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    create_vault(folder, PASSPHRASE, secrets.token_bytes, CHEAP)

    def run(verb, *words, code=0, typed=None):
        if typed is not None:
            terminal = io.StringIO("".join(f"{line}\n" for line in typed))
            terminal.isatty = lambda: True
            monkeypatch.setattr("sys.stdin", terminal)
        shown = ["--json"] if typed is None else []
        words = [*shown, "--data", str(folder), *map(str, words)]
        assert main(["id", "wallet", verb, *words]) == code, capsys.readouterr()
        printed = capsys.readouterr()
        found = json.loads(printed.out) if printed.out and typed is None else printed.out
        return SimpleNamespace(found=found, out=printed.out, err=printed.err)

    return run
