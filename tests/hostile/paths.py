"""The ways that input takes: each the whole way of it, from what arrives to what a person reads."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from aiohttp.abc import AbstractResolver
from tests.hostile.town import open_ledger
from tests.secured import CONTEXTS
from tests.unit.identity.issuer.playing import Issuer

from hansa.identity.bbs_2023.credentials import verify_shown_credential
from hansa.identity.data_integrity.credentials import verify_credential
from hansa.identity.data_integrity.enveloped import verify_enveloped_credential
from hansa.identity.data_integrity.presentations import (
    verify_enveloped_presentation,
    verify_presentation,
)
from hansa.identity.data_integrity.proofs import Expected
from hansa.identity.dcql.queries import read_query
from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.strict_json import decode_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.authorization import ClientProof
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import resolve_did_key
from hansa.identity.oauth.refusals import Declined
from hansa.identity.status.bitstring import (
    read_entries,
    read_list_credential,
    verify_bitstring_status,
)
from hansa.identity.store import MemoryStore
from hansa.identity.verifier.certified import Roots
from hansa.identity.verifier.findings import Finding
from hansa.identity.verifier.requests import VerifierIdentity
from hansa.identity.verifier.sessions import Verifier, VerifierSettings
from hansa.identity.wallet.requests import KeyFinder, read_invitation, read_request
from hansa.kernel.errors import NotFound, Unavailable
from hansa.node.identity.fetching import Fetcher, FetchRules
from hansa.node.identity.resolving import Resolver
from hansa.node.identity.verifier.pinned import PinnedRegistry
from hansa.node.identity.verifier.settings import TrustedIssuer

VERIFIER = load_private_key(KeyKind.P256, b"\x04" * 32)
VERIFIER_URL = "https://bank.example/verifier"
CLIENT_ID = "decentralized_identifier:did:hansa:test:bank"

Refusal = list[str]
"""Check, fault, and the text that a person reads."""


def draw_from(start: int = 0):
    """Make a source of bytes that counts."""
    count = start

    def draw(length: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(length, "big")

    return draw


def expand(value: Any) -> Any:
    """Write out what vectors say in short: `{"$repeat": [text, times]}`, `{"$join": [...]}`."""
    if isinstance(value, list):
        return [expand(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$repeat"}:
        text, times = value["$repeat"]
        return text * times
    if set(value) == {"$join"}:
        return "".join(expand(each) for each in value["$join"])
    return {name: expand(each) for name, each in value.items()}


def judge(kind: str, pre: dict, given: Any) -> list[Refusal]:
    """Take input on its way; returns all that is refused of it, nothing if it is accepted."""
    try:
        found = PATHS[kind](expand(pre), expand(given))
    except Unsound as error:
        return [["", error.fault.value, error.message]]
    except Declined as error:
        return [["", error.error.value, error.message]]
    except NotFound as error:
        return [["", "not_found", error.message]]
    return [[each.check.value, each.fault.value, each.text] for each in found if each.fault]


# --- presentations ------------------------------------------------------------------------------


def open_session(pre: dict) -> tuple[Verifier, str]:
    """Open the session of a verifier in which a vector's answer arrives."""
    verifier = Verifier(
        VerifierSettings(url=VERIFIER_URL, encrypts=pre.get("encrypted", False)),
        VerifierIdentity.of_did("did:hansa:test:bank", "did:hansa:test:bank#1", VERIFIER),
        MemoryStore(),
        _open_registry(pre),
        draw_from(),
    )
    asked_ms = pre.get("asked_ms", pre["time_ms"])
    transactions = pre.get("transactions", ())
    asking = verifier.ask(
        read_query(pre["query"]), "to open an account", asked_ms, transactions=transactions
    )
    return verifier, asking.session_id


def _open_registry(pre: dict):
    if "ledger" in pre:
        return open_ledger(pre["ledger"], pre["time_ms"])
    issuers = [msgspec.convert(each, TrustedIssuer) for each in pre["issuers"]]

    async def fetch(uri: str) -> str:
        if uri not in pre.get("lists", {}):
            raise Unsound(Fault.STATUS, f"there is no status list {uri}")
        return pre["lists"][uri]

    roots = {
        name: Roots([base64.b64decode(each) for each in listed])
        for name, listed in pre.get("roots", {}).items()
    }
    return PinnedRegistry(issuers, fetch, lambda: pre["time_ms"], roots)


def _judge_presentation(pre: dict, given: dict) -> list[Finding]:
    """Judge an answer to a verifier; `earlier` are those that came before it."""
    verifier, session_id = open_session(pre)
    for answer in (*pre.get("earlier", ()), given):
        asyncio.run(verifier.take_answer(session_id, answer, pre["time_ms"]))
    report = verifier.get_report(session_id, "", pre["time_ms"])
    if report is None or report.is_accepted is any(each.fault for each in report.findings):
        raise AssertionError("a report that says two things")
    if bool(report.claims) is not report.is_accepted:
        raise AssertionError("claims are told exactly where all of them are accepted")
    return list(report.findings)


# --- documents and tokens -----------------------------------------------------------------------


def _find_key(pre: dict):
    """Find keys of did:key, and those of a table (`keys`: JWK or Multikey by method)."""
    listed = pre.get("keys", {})

    def find(method: str, purpose: Any) -> PublicKey:
        if method in listed:
            each = listed[method]
            if purpose.value not in each["purposes"]:
                raise Unsound(Fault.KEY, f"{method} is not for {purpose}")
            if "bls12381g2" in each:
                return PublicKey(KeyKind.BLS12_381_G2, bytes.fromhex(each["bls12381g2"]))
            return read_jwk(each["jwk"])
        did = read_did(method.partition("#")[0])
        if did.method != "key":
            raise Unsound(Fault.UNRESOLVED, f"nobody here knows {method}")
        return resolve_did_key(did).find_key(method, purpose)

    return find


def _judge_document(pre: dict, given: str) -> list[Finding]:
    document = decode_json(given, "the credential")
    verify_credential(document, CONTEXTS, pre["time_ms"], _find_key(pre))
    return []


def _judge_list(pre: dict, given: str) -> list[Finding]:
    """Judge a status by the list's credential, as it was fetched."""
    document = decode_json(given, "the status list")
    verify_credential(document, CONTEXTS, pre["time_ms"], _find_key(pre))
    found = read_list_credential(document, pre["uri"], pre["time_ms"])
    for entry in read_entries({"credentialStatus": pre["credentialStatus"]}):
        verify_bitstring_status(found, entry)
    return []


def _judge_shown(pre: dict, given: str) -> list[Finding]:
    document = decode_json(given, "the credential")
    header = pre["presentation_header"].encode()
    verify_shown_credential(document, CONTEXTS, pre["time_ms"], _find_key(pre), header)
    return []


def _judge_token(pre: dict, given: str) -> list[Finding]:
    verify_enveloped_credential(given, pre["time_ms"], _find_key(pre))
    return []


def _judge_shown_documents(pre: dict, given: str) -> list[Finding]:
    expected = Expected(pre["time_ms"], domain=pre["domain"], challenge=pre["challenge"])
    verify = verify_presentation
    document: Any = given
    if given.startswith("{"):
        document = decode_json(given, "the presentation")
    else:
        verify = verify_enveloped_presentation
    verify(document, CONTEXTS, expected, _find_key(pre))
    return []


# --- an issuer's endpoints ----------------------------------------------------------------------


class Desk:
    """An issuer whose answers depend on nothing but what was asked before."""

    def __init__(self, pre: dict) -> None:
        self.issuer = Issuer(**pre.get("rules", {}))
        self.issuer.now_ms = pre["time_ms"]
        self.offered = [
            self.issuer.offer(
                *[(name, {"name": "Mei"}) for name in offer["credentials"]],
                needs_tx_code=offer.get("tx_code", False),
            )
            for offer in pre.get("offers", [])
        ]

    def send(self, request: dict) -> Any:
        """Send a request: `to` which endpoint, `parameters` or `body`, `headers`."""
        headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
        proof = ClientProof(
            headers.get("dpop", ""),
            headers.get("oauth-client-attestation", ""),
            headers.get("oauth-client-attestation-pop", ""),
        )
        self.issuer.now_ms = request.get("time_ms", self.issuer.now_ms)
        now_ms, place = self.issuer.now_ms, request["to"]
        if place == "nonce":
            return self.issuer.endpoints.give_nonce(now_ms)
        if place == "token":
            return self.issuer.server.give_token(request["parameters"], proof, now_ms)
        if place == "par":
            return self.issuer.server.push(request["parameters"], proof, now_ms)
        if place == "approve":  # a person, in the browser
            uri = request["parameters"]["request_uri"]
            issuance = self.issuer.desk.get(self.offered[0].issuance_id, now_ms)
            place = self.issuer.server.approve(uri, "wallet", issuance, now_ms)
            return {name: value for name, (value,) in parse_qs(urlsplit(place).query).items()}
        url = f"{self.issuer.settings.url}/credential"
        authorization = headers.get("authorization", "")
        grant = self.issuer.server.check_access(authorization, proof, url, now_ms)
        raw, is_jwt = request["body"].encode(errors="surrogatepass"), request.get("is_jwt", False)
        return self.issuer.endpoints.give_credential(raw, grant, now_ms, is_jwt=is_jwt)


def _judge_requests(pre: dict, given: list[dict]) -> list[Finding]:
    """Send a wallet's requests; all but the last must be answered."""
    desk = Desk(pre)
    try:
        for request in given[:-1]:
            desk.send(request)
    except Declined as error:
        raise AssertionError(f"refused too early: {error.message}") from None
    desk.send(given[-1])
    return []


# --- a wallet, and whoever resolves -------------------------------------------------------------


def _judge_request(pre: dict, given: str) -> list[Finding]:
    """Read a verifier's request as a wallet does."""

    def resolve(url: str) -> PublicKey:
        if url not in pre.get("keys", {}):
            raise Unsound(Fault.UNRESOLVED, f"nobody here knows {url}")
        return read_jwk(pre["keys"][url])

    roots = [base64.b64decode(each) for each in pre.get("roots", ())]
    finder = KeyFinder(resolve, roots, pre["time_ms"])
    invitation = read_invitation(pre["invitation"])
    read_request(given, invitation, pre.get("wallet_nonce", ""), finder, pre["time_ms"])
    return []


def _judge_did(pre: dict, given: str) -> list[Finding]:
    """Resolve a DID whose server answers what stands in `http`."""

    async def fetch(url: str, bytes_max: int) -> bytes:
        raw = pre["http"].get(url)
        if raw is None:
            raise Unsound(Fault.UNRESOLVED, f"there is nothing at {url}")
        if len(raw.encode()) > bytes_max:
            raise Unsound(Fault.TOO_LARGE, f"{url[:200]} has over {bytes_max} bytes")
        return raw.encode()

    resolver = Resolver(None, "", fetch, lambda: pre["time_ms"])
    asyncio.run(resolver.resolve(given, pre.get("at_ms")))
    return []


class _Names(AbstractResolver):
    """Names that lead where a vector says."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self._names = names

    async def resolve(self, host, port=0, family=0):
        if host not in self._names:
            raise OSError(f"nobody knows {host}")
        return [
            {"hostname": host, "host": each, "port": port, "family": 2, "proto": 0, "flags": 0}
            for each in self._names[host]
        ]

    async def close(self):
        pass


def _judge_address(pre: dict, given: str) -> list[Finding]:
    """Resolve a DID over the network; that nobody answers there shows that it was asked."""
    hosts = pre.get("hosts")
    rules = FetchRules(
        hosts=None if hosts is None else frozenset(hosts),
        may_ask_inside=pre.get("may_ask_inside", False),
    )

    async def run() -> None:
        async with Fetcher(rules, _Names(pre["names"])) as fetcher:
            await Resolver(None, "", fetcher.fetch, lambda: 0).resolve(given)

    try:
        asyncio.run(run())
    except Unavailable as error:
        if "does not answer" not in error.message:
            raise
        return []
    raise AssertionError("somebody answered")


def read_nonce(pre: dict) -> dict[str, Any]:
    """Read the request of a vector's session, unverified."""
    verifier, session_id = open_session(pre)
    token = verifier.give_request(session_id, "", pre.get("asked_ms", pre["time_ms"]))
    return json.loads(decode_base64url(token.split(".")[1], "the request"))


PATHS = {
    "presentation": _judge_presentation,
    "document": _judge_document,
    "list": _judge_list,
    "shown": _judge_shown,
    "token": _judge_token,
    "shown documents": _judge_shown_documents,
    "requests": _judge_requests,
    "request": _judge_request,
    "did": _judge_did,
    "address": _judge_address,
}
