"""A verifier, an issuer and a holder that tests play with; the world is a table."""

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

from hansa.identity.dcql.queries import read_query
from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jwe import encrypt_jwe
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, select_disclosures
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.status.reference import StatusReference
from hansa.identity.store import MemoryStore
from hansa.identity.verifier.registry import CredentialStatus, IssuerKey, Standing
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.identity.verifier.sessions import Verifier, VerifierSettings

NOW_MS = 1_795_953_600_000
NOW = NOW_MS // 1_000
LISTED_MS = NOW_MS - 240_000
"""When status lists were made."""
DAY_MS = 86_400_000
ISSUER = "did:hansa:city:office"
ISSUER_KEY = load_private_key(KeyKind.ED25519, b"\x01" * 32)
HOLDER = load_private_key(KeyKind.P256, b"\x02" * 32)
OTHER = load_private_key(KeyKind.P256, b"\x03" * 32)
VERIFIER_KEY = load_private_key(KeyKind.P256, b"\x04" * 32)
CLIENT_ID = "decentralized_identifier:did:hansa:city:bank"
VCT = "urn:city:resident"
STATUS = StatusReference("https://office.example/status/1", 7)
RESIDENT = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [VCT]},
            "claims": [{"path": ["given_name"]}, {"path": ["age_over_18"]}],
        }
    ]
}


def draw_from(start=0):
    count = start

    def draw(length):
        nonlocal count
        count += 1
        return count.to_bytes(length, "big")

    return draw


class World:
    """What a registry knows; a test changes it."""

    def __init__(self):
        self.keys = {ISSUER: IssuerKey(ISSUER, ISSUER_KEY.public_key)}
        self.standing = Standing(is_accredited=True, text="accredited by the network")
        self.status = 0
        self.anchored_ms = None
        self.asked = []

    async def find_issuer_key(self, issuer, header, time_ms):
        self.asked.append(("key", issuer, time_ms))
        found = self.keys.get(issuer or tuple(header.get("x5c", ())))
        if found is None:
            raise Unsound(Fault.UNRESOLVED, f"nobody knows {issuer!r}")
        return found

    async def find_standing(self, issuer, credential_type, time_ms):
        self.asked.append(("standing", issuer, credential_type, time_ms))
        return self.standing

    async def get_status(self, issuer, reference):
        self.asked.append(("status", issuer, reference))
        if isinstance(self.status, Exception):
            raise self.status
        return CredentialStatus(self.status, LISTED_MS)

    async def find_anchor_ms(self, issuer, digest):
        self.asked.append(("anchor", issuer, digest))
        return self.anchored_ms


def issue(**changes):
    """Issue a resident's credential; returns it as the issuer hands it out."""
    signer = changes.pop("signer", ISSUER_KEY)
    parts = {
        "vct": VCT,
        "claims": {"given_name": "Mei", "age_over_18": True, "birth_date": "1999-01-01"},
        "issuer": ISSUER,
        "holder_key": HOLDER.public_key,
        "issued_s": NOW - 1_000,
        "expires_s": NOW + 1_000,
        "status": STATUS,
    } | changes
    return issue_credential(signer, Credential(**parts), draw_from(900))


class Counter:
    """A verifier's counter, and a wallet that answers it over no network at all."""

    def __init__(self, registry=None, *, encrypts=True, now_ms=NOW_MS, accept=None):
        self.world = registry or World()
        self.verifier = Verifier(
            VerifierSettings(url="https://bank.example/verifier", encrypts=encrypts),
            VerifierIdentity.of_did("did:hansa:city:bank", "did:hansa:city:bank#1", VERIFIER_KEY),
            MemoryStore(),
            self.world,
            draw_from(),
            accept,
        )
        self.now_ms = now_ms

    def ask(self, query=None, **more):
        return self.verifier.ask(
            read_query(query or RESIDENT), "to open a wallet", self.now_ms, **more
        )

    def fetch(self, asking, wallet_nonce=""):
        """What a wallet reads of the request, unverified."""
        token = self.verifier.give_request(asking.session_id, wallet_nonce, self.now_ms)
        return decode_jws(token, "the request").decode_claims("the request")

    def present(
        self,
        request,
        credential=None,
        *,
        paths=(("given_name",), ("age_over_18",)),
        signer=HOLDER,
        challenge=None,
        issued_s=None,
        binding=(),
    ):
        issued_s = self.now_ms // 1_000 if issued_s is None else issued_s
        chosen = select_disclosures(credential or issue(), paths)
        asked = challenge or Challenge(request["client_id"], request["nonce"])
        return bind_sd_jwt(chosen, signer, asked, issued_s, dict(binding)).encode()

    def answer(self, asking, request, token, **more):
        """Send an answer as the request's response mode asks."""
        told = {"state": request["state"], "vp_token": token} | more
        if request["response_mode"] == "direct_post":
            sent = {name: x if isinstance(x, str) else json.dumps(x) for name, x in told.items()}
            return self.send(asking, sent)
        (key,) = request["client_metadata"]["jwks"]["keys"]
        raw = json.dumps(told).encode()
        encrypted = encrypt_jwe(raw, read_jwk(key), {"kid": key["kid"]})
        return self.send(asking, {"response": encrypted})

    def send(self, asking, parameters):
        call = self.verifier.take_answer(asking.session_id, parameters, self.now_ms)
        return asyncio.run(call)

    def report(self, asking, code=""):
        return self.verifier.get_report(asking.session_id, code, self.now_ms)

    def judge(self, *presented, query=None, ask=None, **how):
        """Ask, answer with these presentations (or one that is presented so), and report."""
        asking = self.ask(query, **(ask or {}))
        request = self.fetch(asking)
        token = {"resident": list(presented) or [self.present(request, **how)]}
        self.answer(asking, request, token)
        return self.report(asking)


def find_query(uri):
    return {name: value for name, (value,) in parse_qs(urlsplit(uri).query).items()}


def encode(value):
    return encode_base64url(json.dumps(value).encode())
