"""Hostile presentations of SD-JWT VCs: to the issuer's signature, disclosures and key binding."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.disclosing import digest_of, disclose
from tests.hostile.paths import CLIENT_ID, read_nonce
from tests.hostile.themes import Case, Sound, Theme
from tests.hostile.town import ACCREDITED, DID, ISSUER, KID, LIST, NOW_MS, TYPE

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, load_private_key

NOW = NOW_MS // 1_000
HOLDER = load_private_key(KeyKind.ED25519, b"\x61" * 32)
STRANGER = load_private_key(KeyKind.ED25519, b"\x62" * 32)
P256 = load_private_key(KeyKind.P256, b"\x63" * 32)
QUERY = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [TYPE]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}
PRE = {"time_ms": NOW_MS, "ledger": ACCREDITED, "query": QUERY}
REQUEST = read_nonce(PRE)
NAME = disclose("salt-1", "given_name", "Mei")
AGE = disclose("salt-2", "age_over_18", True)
CLAIMS = {
    "vct": TYPE,
    "iss": DID,
    "iat": NOW - 86_400,
    "exp": NOW + 86_400,
    "cnf": {"jwk": write_jwk(HOLDER.public_key)},
    "status": {"status_list": {"idx": 7, "uri": LIST}},
    "_sd": [digest_of(NAME), digest_of(AGE)],
    "_sd_alg": "sha-256",
}
HEADER = {"alg": "EdDSA", "typ": "dc+sd-jwt", "kid": KID}
BINDING_HEADER = {"alg": "EdDSA", "typ": "kb+jwt"}


class Binding(NamedTuple):
    """How a key binding is made."""

    signer: PrivateKey = HOLDER
    header: Any = BINDING_HEADER
    changes: Mapping[str, Any] = MappingProxyType({})
    over: str = ""
    """What it covers instead of what is sent."""


def sign(signer: PrivateKey, header: Any, payload: Any) -> str:
    """Sign any header and payload, which may be text that is no JSON."""
    parts = [each if isinstance(each, str) else json.dumps(each) for each in (header, payload)]
    signed = ".".join(encode_base64url(each.encode()) for each in parts)
    return f"{signed}.{encode_base64url(signer.sign(signed.encode()))}"


def without(value: dict, *names: str) -> dict:
    return {name: each for name, each in value.items() if name not in names}


def bind(shown: str, binding: Binding) -> str:
    """Sign what is shown as its holder does."""
    claims = {
        "aud": CLIENT_ID,
        "nonce": REQUEST["nonce"],
        "iat": NOW,
        "sd_hash": digest_of(binding.over or shown),
    } | dict(binding.changes)
    told = {name: value for name, value in claims.items() if value is not None}
    return sign(binding.signer, binding.header, told)


def present(
    claims: Any = CLAIMS,
    disclosures: tuple[str, ...] = (NAME,),
    *,
    header: Any = HEADER,
    signer: PrivateKey = ISSUER,
    binding: Binding | None = Binding(),  # noqa: B008 - a value
    jwt: str = "",
) -> str:
    """Make a presentation; all that is honest unless said otherwise."""
    jwt = jwt or sign(signer, header, claims)
    shown = "".join(f"{each}~" for each in (jwt, *disclosures))
    return shown if binding is None else shown + bind(shown, binding)


def answer(*presented: Any, **more: Any) -> dict:
    """Answer the request as a form."""
    token = {"resident": list(presented) or [present()]}
    return {"state": REQUEST["state"], "vp_token": json.dumps(token)} | more


def hide(name: Any, value: Any, *others: str, claims: dict = CLAIMS) -> tuple[dict, tuple]:
    """Claims with one more digest, and its disclosure with the name's."""
    text = disclose("salt-3", name, value)
    return claims | {"_sd": [*claims["_sd"], digest_of(text)]}, (NAME, text, *others)


GONE = "request TYPE"
"""What does not even count as a presentation leaves the question open."""
ANCHOR = hashlib.sha256(present(binding=None).split("~")[0].encode()).hexdigest()


def make_algorithms() -> Theme:
    """Algorithms, headers and keys."""
    raw = json.dumps(CLAIMS)
    secret = ISSUER.public_key.data
    signed = f"{encode_base64url(json.dumps(HEADER | {'alg': 'HS256'}).encode())}."
    signed += encode_base64url(raw.encode())
    mac = hmac.new(secret, signed.encode(), "sha256").digest()
    headers = {
        "no algorithm at all (none)": ("RFC 8725, section 3.1", {"alg": "none"}, "ALGORITHM"),
        "none, written otherwise": ("RFC 8725, section 3.1", {"alg": "nOnE"}, "ALGORITHM"),
        "an algorithm that is a list": ("RFC 7515, section 4.1.1", {"alg": ["EdDSA"]}, "ALGORITHM"),
        "an algorithm that is no text": ("RFC 7515, section 4.1.1", {"alg": None}, "ALGORITHM"),
        "an extension that must be understood": (
            "RFC 7515, section 4.1.11",
            {"crit": ["exp"], "exp": NOW - 9},
            "CRITICAL",
        ),
        "an empty list of extensions": ("RFC 7515, section 4.1.11", {"crit": []}, "CRITICAL"),
        "a payload that is not encoded": (
            "RFC 7797, section 6",
            {"b64": False, "crit": ["b64"]},
            "CRITICAL",
        ),
        "a key binding in the credential's place": (
            "RFC 8725, section 3.11",
            {"typ": "kb+jwt"},
            "TYPE",
        ),
        "no type": ("RFC 8725, section 3.11", {"typ": None}, "TYPE"),
        "a type in look-alike letters (U+2010 for the hyphen)": (
            "RFC 8725, section 3.11",
            {"typ": "dc+sd\u2010jwt"},
            "TYPE",
        ),
    }
    cases = [
        Case(name, where, (f"format {fault}", GONE), answer(present(header=HEADER | change)))
        for name, (where, change, fault) in headers.items()
    ]
    twice = json.dumps(HEADER)[:-1] + ',"alg":"none"}'
    cases += [
        Case(
            "alg twice in the header",
            "RFC 7515, section 4",
            ("format DUPLICATE", GONE),
            answer(present(header=twice)),
        ),
        Case(
            "a claim twice",
            "RFC 7519, section 4",
            ("format DUPLICATE", GONE),
            answer(present(json.dumps(CLAIMS)[:-1] + ',"exp":9999999999}')),
        ),
        Case(
            "a symmetric signature made with the public key",
            "RFC 8725, section 2.1",
            ("format ALGORITHM", GONE),
            answer(present(jwt=f"{signed}.{encode_base64url(mac)}")),
        ),
        Case(
            "signed by ES256 where the issuer's key is Ed25519",
            "RFC 8725, section 3.1",
            ("signature ALGORITHM",),
            answer(present(header=HEADER | {"alg": "ES256"}, signer=P256)),
        ),
        Case(
            "signed by a key that the header brings along",
            "RFC 8725, section 3.10",
            ("signature SIGNATURE",),
            answer(
                present(header=HEADER | {"jwk": write_jwk(STRANGER.public_key)}, signer=STRANGER)
            ),
        ),
        Case(
            "a key that is to be fetched",
            "RFC 8725, section 3.10",
            ("issuer KEY", GONE),
            answer(
                present(
                    header=without(HEADER, "kid") | {"jku": "https://evil.example/keys"},
                    signer=STRANGER,
                )
            ),
        ),
        Case(
            "a key of another DID",
            "OpenID4VP 1.0, section 14",
            ("issuer UNRESOLVED", GONE),
            answer(present(header=HEADER | {"kid": "did:web:evil.example#1"}, signer=STRANGER)),
        ),
        Case(
            "a name of a key that leads out of its file",
            "RFC 8725, section 3.10",
            ("issuer UNRESOLVED", GONE),
            answer(present(header=HEADER | {"kid": f"{DID}#../../etc/passwd"})),
        ),
        Case(
            "a claim changed after it was signed",
            "RFC 7515, section 5.2",
            ("signature SIGNATURE",),
            answer(present(jwt=_change(present(binding=None).split("~")[0]))),
        ),
        Case(
            "a signature with a letter too many",
            "RFC 7515, section 5.2",
            ("format MALFORMED", GONE),
            answer(present(jwt=present(binding=None).split("~")[0] + "=")),
        ),
        Case(
            "the point between two parts left out",
            "RFC 7515, section 7.1",
            ("format MALFORMED", GONE),
            answer(present(jwt=present(binding=None).split("~")[0].replace(".", "", 1))),
        ),
    ]
    return Theme("Algorithms and keys", "presentation", PRE, {"resident": Sound(answer())}, cases)


def _change(jwt: str) -> str:
    header, _, signature = jwt.split(".")
    changed = json.dumps(CLAIMS | {"exp": NOW + 999_999})
    return ".".join((header, encode_base64url(changed.encode()), signature))


def make_disclosures() -> Theme:
    """Digests and disclosures in the wrong place, twice, or of the wrong kind."""
    rfc = "RFC 9901, section 7.1"
    own = "draft-ietf-oauth-sd-jwt-vc, section 2.2.2.2"
    element = disclose("salt-4", "Taipa")
    nested = disclose("salt-5", "address", {"_sd": [digest_of(NAME)]})
    lists: dict[str, tuple[str, Any, tuple[str, ...], str]] = {
        "a disclosure that nobody signed": (
            rfc,
            CLAIMS,
            (NAME, disclose("salt-9", "mayor", True)),
            "DISCLOSURE",
        ),
        "a disclosure twice": (rfc, CLAIMS, (NAME, NAME), "DUPLICATE"),
        "a digest twice": (rfc, CLAIMS | {"_sd": [digest_of(NAME)] * 2}, (NAME,), "DUPLICATE"),
        "a digest twice, once deeper": (
            rfc,
            CLAIMS | {"more": {"_sd": [digest_of(AGE)]}},
            (NAME,),
            "DUPLICATE",
        ),
        "a digest twice, once within a disclosure": (
            rfc,
            CLAIMS | {"_sd": [digest_of(NAME), digest_of(nested)]},
            (NAME, nested),
            "DUPLICATE",
        ),
        "an element's disclosure in an object's place": (
            rfc,
            CLAIMS | {"_sd": [digest_of(NAME), digest_of(element)]},
            (NAME, element),
            "DISCLOSURE",
        ),
        "a member's disclosure in an element's place": (
            rfc,
            CLAIMS | {"districts": [{"...": digest_of(AGE)}], "_sd": [digest_of(NAME)]},
            (NAME, AGE),
            "DISCLOSURE",
        ),
        "an element's digest beside other members": (
            rfc,
            CLAIMS | {"districts": [{"...": digest_of(element), "x": 1}]},
            (NAME, element),
            "MALFORMED",
        ),
        "digests that are no list": (rfc, CLAIMS | {"_sd": digest_of(NAME)}, (NAME,), "MALFORMED"),
        "a digest that is no text": (
            rfc,
            CLAIMS | {"_sd": [digest_of(NAME), 7]},
            (NAME,),
            "MALFORMED",
        ),
        "the hash named deeper than at the top": (
            rfc,
            CLAIMS | {"more": {"_sd_alg": "sha-256"}},
            (NAME,),
            "MALFORMED",
        ),
        "a hash that is broken": (rfc, CLAIMS | {"_sd_alg": "md5"}, (NAME,), "ALGORITHM"),
        "a hash that is no text": (rfc, CLAIMS | {"_sd_alg": ["sha-256"]}, (NAME,), "ALGORITHM"),
        "a reserved name (_sd)": (rfc, *hide("_sd", []), "DISCLOSURE"),
        "a reserved name (...)": (rfc, *hide("...", "x"), "DISCLOSURE"),
        "a name that is there already": (rfc, *hide("given_name", "Eve"), "DISCLOSURE"),
        "a claim that is signed in the open": (rfc, *hide("vct", "urn:other"), "DISCLOSURE"),
        "an end of validity that may be kept back": (
            own,
            *hide("exp", NOW + 9, claims=without(CLAIMS, "exp")),
            "DISCLOSURE",
        ),
        "a status that may be kept back": (
            own,
            *hide("status", CLAIMS["status"], claims=without(CLAIMS, "status")),
            "DISCLOSURE",
        ),
        "a holder's key that may be kept back": (
            own,
            *hide("cnf", CLAIMS["cnf"], claims=without(CLAIMS, "cnf")),
            "DISCLOSURE",
        ),
        "a disclosure with padding": (rfc, CLAIMS, (f"{NAME}=",), "DISCLOSURE"),
        "a disclosure that is no JSON": _raw("[1,", "MALFORMED"),
        "a disclosure of four parts": _raw('["s","a",1,2]', "DISCLOSURE"),
        "a disclosure without a salt": _raw('[1,"a",2]', "DISCLOSURE"),
        "a disclosure whose value has a name twice": _raw('["s","a",{"b":1,"b":2}]', "DUPLICATE"),
        "a disclosure that is not UTF-8": _raw(b'["s","a","\xff"]', "MALFORMED"),
        "a disclosure with half a letter": _raw('["s","a","\\ud800"]', "MALFORMED"),
        "a disclosure of a number beyond all (1e400)": _raw('["s","a",1e400]', "MALFORMED"),
        "a disclosure of NaN": _raw('["s","a",NaN]', "MALFORMED"),
    }
    cases = [
        Case(name, where, (f"format {fault}", GONE), answer(present(claims, texts)))
        for name, (where, claims, texts, fault) in lists.items()
    ]
    cases += [
        Case(
            "the claim that was asked for is kept back",
            "OpenID4VP 1.0, section 6.4.1",
            ("request TYPE",),
            answer(present(disclosures=(AGE,))),
        ),
        Case(
            "another claim than was asked for, in letters that look alike (U+0435 for e)",
            "RFC 8259, section 8.3",
            ("request TYPE",),
            answer(present(*_only("giv\u0435n_name", "Mei"))),
        ),
        Case(
            "a name in another normal form (NFD)",
            "RFC 8259, section 8.3",
            ("request TYPE",),
            answer(present(*_only("given_na\u0301me", "Mei"))),
        ),
    ]
    return Theme("Disclosures", "presentation", PRE, {"resident": Sound(answer())}, cases)


def _raw(content: str | bytes, fault: str) -> tuple[str, Any, tuple[str, ...], str]:
    raw = content if isinstance(content, bytes) else content.encode()
    text = encode_base64url(raw)
    claims = CLAIMS | {"_sd": [digest_of(NAME), digest_of(text)]}
    return "RFC 9901, section 4.2", claims, (NAME, text), fault


def _only(name: str, value: Any) -> tuple[dict, tuple[str, ...]]:
    text = disclose("salt-6", name, value)
    return CLAIMS | {"_sd": [digest_of(text)]}, (text,)
