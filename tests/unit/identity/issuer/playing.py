"""An issuer that tests play with: a store in memory, a clock that stands still, fixed chance."""

import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from hansa.identity.issuer.authorization import AuthorizationServer, ClientProof
from hansa.identity.issuer.configurations import (
    Configuration,
    IssuerSettings,
    Rules,
    Written,
)
from hansa.identity.issuer.endpoints import CredentialEndpoints
from hansa.identity.issuer.issuances import IssuanceDesk
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.oauth.pkce import compute_challenge
from hansa.identity.oauth.refusals import Declined
from hansa.identity.store import MemoryStore

URL = "https://issuer.example"
NOW_MS = 1_795_953_600_000
NOW = NOW_MS // 1_000
HOLDER = load_private_key(KeyKind.P256, b"\x01" * 32)
OTHER = load_private_key(KeyKind.P256, b"\x02" * 32)
MAKER = load_private_key(KeyKind.P256, b"\x03" * 32)
ISSUER_KEY = load_private_key(KeyKind.P256, b"\x04" * 32)
PRE = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
REDIRECT = "https://wallet.example/back"
VERIFIER = "v" * 43
NO_PROOF = ClientProof()
RESIDENT = Configuration(id="resident", format="dc+sd-jwt", type="urn:resident", scope="resident")
LICENCE = Configuration(id="licence", format="dc+sd-jwt", type="urn:licence", scope="licence")
BEARER_NOTE = Configuration(
    id="note", format="dc+sd-jwt", type="urn:note", scope="note", needs_binding=False
)
ATTESTED = Configuration(
    id="attested", format="dc+sd-jwt", type="urn:a", scope="attested", needs_attestation=True
)


class Issuer:
    """An issuer whose time stands still unless the test moves it."""

    def __init__(self, store=None, **rules):
        self.settings = IssuerSettings(
            url=URL,
            configurations=(RESIDENT, LICENCE, BEARER_NOTE, ATTESTED),
            clients={"wallet": (REDIRECT,)},
            rules=Rules(**rules),
        )
        self.drawn = 0
        self.written = []
        store = MemoryStore() if store is None else store
        self.desk = IssuanceDesk(self.settings, store, self.draw)
        self.server = AuthorizationServer(self.settings, store, self.desk, self.find_maker)
        self.endpoints = CredentialEndpoints(
            self.settings,
            store,
            self.desk,
            self.write,
            ISSUER_KEY,
            lambda header: self.find_maker(header.get("kid", ""), header),
        )
        self.now_ms = NOW_MS

    def draw(self, length):
        self.drawn += 1
        return self.drawn.to_bytes(length, "big")

    def write(self, configuration, _, claims, key, issued_ms):
        self.written.append((configuration.id, claims, key, issued_ms))
        return Written(f"credential {len(self.written)}", "1")

    def find_maker(self, name, _header):
        return MAKER.public_key if name == "maker" else None

    def offer(self, *wanted, needs_tx_code=False):
        chosen = wanted or (("resident", {"name": "Mei"}),)
        return self.desk.offer(chosen, self.now_ms, needs_tx_code=needs_tx_code)

    def token(self, offered, proof=NO_PROOF, **more):
        sent = {"grant_type": PRE, "pre-authorized_code": offered.offer.pre_authorized_code} | more
        return self.server.give_token(sent, proof, self.now_ms)

    def grant(self, *wanted, **more):
        token = self.token(self.offer(*wanted), **more)
        return self.access(token["access_token"])

    def access(self, token, scheme="Bearer", proof=NO_PROOF, url=f"{URL}/credential"):
        return self.server.check_access(f"{scheme} {token}", proof, url, self.now_ms)

    def nonce(self):
        return self.endpoints.give_nonce(self.now_ms)["c_nonce"]

    def ask(self, grant, request, *, is_jwt=False):
        raw = request if isinstance(request, bytes) else json.dumps(request).encode()
        return self.endpoints.give_credential(raw, grant, self.now_ms, is_jwt=is_jwt)

    def proof(self, key=HOLDER, header=None, **claims):
        told = {"aud": URL, "iat": NOW, "nonce": self.nonce()} | claims
        shown = {"typ": "openid4vci-proof+jwt"} | (header or {"jwk": write_jwk(key.public_key)})
        return sign_jws(key, shown, msgspec.json.encode(told))

    def request(self, *proofs, **more):
        sent = {"credential_configuration_id": "resident"} | more
        return sent | {"proofs": {"jwt": list(proofs) or [self.proof()]}}

    def attestation(self, keys=(HOLDER, OTHER), signer=MAKER, **claims):
        told = {
            "iat": NOW,
            "exp": NOW + 60,
            "nonce": self.nonce(),
            "attested_keys": [write_jwk(key.public_key) for key in keys],
        } | claims
        header = {"typ": "key-attestation+jwt", "kid": "maker"}
        return sign_jws(signer, header, msgspec.json.encode(told))

    def push(self, proof=NO_PROOF, **more):
        sent = {
            "client_id": "wallet",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "code_challenge": compute_challenge(VERIFIER),
            "code_challenge_method": "S256",
            "scope": "resident",
            "state": "s t",
        } | more
        given_ = {name: value for name, value in sent.items() if value is not None}
        return self.server.push(given_, proof, self.now_ms)["request_uri"]

    def approve(self, request_uri, *wanted):
        issuance = self.desk.get(self.offer(*wanted).issuance_id, self.now_ms)
        return self.server.approve(request_uri, "wallet", issuance, self.now_ms)

    def redeem(self, redirect, proof=NO_PROOF, **more):
        code = parse_qs(urlsplit(redirect).query)["code"][0]
        sent = {
            "grant_type": "authorization_code",
            "client_id": "wallet",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": REDIRECT,
        } | more
        return self.server.give_token(sent, proof, self.now_ms)


def declined(error, call, *arguments, **named):
    with pytest.raises(Declined) as caught:
        call(*arguments, **named)
    assert caught.value.error is error
    return caught.value.message
