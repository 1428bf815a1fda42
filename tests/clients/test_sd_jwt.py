"""`@sd-jwt/*` verifies and holds what we issue, and we verify and hold what it issues."""

import json

import pytest
from tests.clients.foreign import ForeignError, run_foreign
from tests.disclosing import CHALLENGE, NOW_S, counted, digest_of

from hansa.contracts.identity.status import Bits, Status
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.sd_jwt.credential import Credential, issue_credential, verify_credential
from hansa.identity.sd_jwt.presentation import bind_sd_jwt, open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.status.entries import pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list

ISSUER = load_private_key(KeyKind.P256, b"\x01" * 32)
HOLDER = load_private_key(KeyKind.P256, b"\x02" * 32)
ISSUER_JWK, HOLDER_JWK = write_private_jwk(ISSUER), write_private_jwk(HOLDER)
VCT = "urn:example:resident:1"
CLAIMS = {
    "name": "Þóra 吳",
    "address": {"country": "IS", "locality": "Þykkvabæjarklaustur", "street": {"number": 7}},
    "nationalities": ["IS", "DE", "PT"],
    "age_equal_or_over": {"18": True, "65": False},
}
PATHS = (
    ("name",),
    ("address",),
    ("address", "locality"),
    ("address", "street"),
    ("address", "street", "number"),
    ("nationalities", None),
    ("age_equal_or_over", "18"),
)
SHOWN = {
    "address": {"country": "IS", "street": {"number": 7}},
    "nationalities": ["DE"],
    "age_equal_or_over": {"65": False},
}
WANTED = [("address", "street", "number"), ("nationalities", 1)]
FRAME = {
    "_sd": ["name", "address"],
    "address": {"_sd": ["locality", "street"], "street": {"_sd": ["number"]}},
    "nationalities": {"_sd": [0, 1, 2]},
    "age_equal_or_over": {"_sd": ["18"]},
}
DECOYS = FRAME | {"_sd_decoy": 3, "nationalities": {"_sd": [0, 1, 2], "_sd_decoy": 2}}
WANTED_FRAME = {"address": {"street": {"number": True}}, "nationalities": {"1": True}}
BINDING = {"aud": CHALLENGE.audience, "nonce": CHALLENGE.nonce, "iat": NOW_S}
LISTS = "https://office.example/status/1"

foreign = run_foreign("sd_jwt")


def issue(**changes):
    parts = {
        "vct": VCT,
        "claims": CLAIMS,
        "selective": PATHS,
        "issuer": "https://office.example",
        "holder_key": HOLDER.public_key,
        "issued_s": NOW_S,
        "expires_s": NOW_S + 1_000,
    } | changes
    return issue_credential(ISSUER, Credential(**parts), counted())


def issue_theirs(foreign, frame=FRAME, **changes):
    claims = {
        "vct": VCT,
        "iss": "https://office.example",
        "iat": NOW_S,
        "exp": NOW_S + 1_000,
        "cnf": {"jwk": write_jwk(HOLDER.public_key)},
        **CLAIMS,
    } | changes
    return foreign.ask("issue", claims=claims, frame=frame, issuerKey=ISSUER_JWK, header={})


def show(issued):
    return bind_sd_jwt(select_disclosures(issued, WANTED), HOLDER, CHALLENGE, NOW_S)


def verify_there(foreign, presentation, **changes):
    asked = {"nonce": CHALLENGE.nonce, "audience": CHALLENGE.audience, "now": NOW_S} | changes
    return foreign.ask("verify", presentation=presentation, issuerKey=ISSUER_JWK, **asked)


def verify_here(presentation, now_s=NOW_S, challenge=CHALLENGE):
    sd_jwt = decode_sd_jwt(presentation)
    return verify_credential(sd_jwt, ISSUER.public_key, now_s, challenge).claims


def read(disclosure):
    return json.loads(decode_base64url(disclosure, "it"))


def pick(claims):
    """Leave out what the credential says of itself."""
    return {name: value for name, value in claims.items() if name in CLAIMS}


def change(token, **claims):
    """Change claims that were signed."""
    header, payload, *rest = token.split(".")
    told = json.loads(decode_base64url(payload, "it")) | claims
    return ".".join([header, encode_base64url(json.dumps(told).encode()), *rest])


# --- ours, read by them -------------------------------------------------------------------------


@pytest.mark.parametrize("pad_to", [1, 8])
def test_they_verify_what_we_issue_and_show(foreign, pad_to):
    assert pick(verify_there(foreign, show(issue(pad_to=pad_to)).encode())) == SHOWN


def test_they_verify_a_whole_credential_as_its_holder_gets_it(foreign):
    issued = issue(pad_to=4).encode()
    found = verify_there(foreign, issued, nonce=None, audience=None)
    assert pick(found) == CLAIMS


def test_they_show_what_we_issued(foreign):
    issued = issue(pad_to=4)
    # Its frames count elements as they stand in the token, our decoys among them.
    (digest,) = [digest_of(each) for each in issued.disclosures if read(each)[1:] == ["DE"]]
    elements = json.loads(decode_base64url(issued.jwts[0].split(".")[1], "it"))["nationalities"]
    frame = WANTED_FRAME | {"nationalities": {str(elements.index({"...": digest})): True}}
    asked = {"frame": frame, "holderKey": HOLDER_JWK, "binding": BINDING}
    shown = foreign.ask("present", credential=issued.encode(), **asked)
    assert pick(verify_here(shown)) == SHOWN
    assert pick(verify_there(foreign, shown)) == SHOWN


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nonce": "another"}, "Nonce"),
        ({"audience": "https://else.example"}, "is for"),
        ({"now": NOW_S + 2_000}, "expired"),
    ],
)
def test_they_refuse_ours_elsewhere_and_later(foreign, options, message):
    with pytest.raises(ForeignError, match=message):
        verify_there(foreign, show(issue()).encode(), **options)


def test_they_refuse_ours_tampered_with(foreign):
    shown = show(issue()).encode()
    with pytest.raises(ForeignError, match="ignature"):
        verify_there(foreign, change(shown, vct="urn:example:mayor:1"))
    jwt, first, *rest = shown.split("~")
    salt, name, value = read(first)
    other = encode_base64url(json.dumps([salt, name, [value]]).encode())
    with pytest.raises(ForeignError):
        verify_there(foreign, "~".join([jwt, other, *rest]))


@pytest.mark.parametrize("status", list(Status))
def test_they_read_our_status_lists(foreign, status):
    entries = pack_entries(Bits.TWO, 20_000, {7: status})
    told = Publication(uri=LISTS, issued_s=NOW_S, expires_s=NOW_S + 1_000)
    token = sign_jwt_list(ISSUER, entries, told)
    shown = show(issue(status=StatusReference(LISTS, 7))).encode()
    if status is Status.VALID:
        assert pick(verify_there(foreign, shown, statusList=token)) == SHOWN
    else:
        with pytest.raises(ForeignError, match="Status is not valid"):
            verify_there(foreign, shown, statusList=token)


# --- theirs, read by us -------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [FRAME, DECOYS], ids=["plain", "decoys"])
def test_we_verify_and_hold_what_they_issue(foreign, frame):
    credential = issue_theirs(foreign, frame)
    held = decode_sd_jwt(credential)
    assert pick(open_issued(held).claims) == CLAIMS
    ours = show(held).encode()
    assert pick(verify_here(ours)) == SHOWN
    assert pick(verify_there(foreign, ours)) == SHOWN
    asked = {"frame": WANTED_FRAME, "holderKey": HOLDER_JWK, "binding": BINDING}
    assert pick(verify_here(foreign.ask("present", credential=credential, **asked))) == SHOWN


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"challenge": CHALLENGE._replace(audience="https://else.example")}, Fault.AUDIENCE),
        ({"challenge": CHALLENGE._replace(nonce="another")}, Fault.NONCE),
        ({"now_s": NOW_S + 2_000}, Fault.EXPIRED),
    ],
)
def test_we_refuse_theirs_elsewhere_and_later(foreign, how, fault):
    credential = issue_theirs(foreign)
    asked = {"frame": WANTED_FRAME, "holderKey": HOLDER_JWK, "binding": BINDING}
    shown = foreign.ask("present", credential=credential, **asked)
    with pytest.raises(Unsound) as caught:
        verify_here(shown, **how)
    assert caught.value.fault is fault


def test_we_refuse_theirs_tampered_with(foreign):
    shown = show(decode_sd_jwt(issue_theirs(foreign))).encode()
    with pytest.raises(Unsound) as caught:
        verify_here(change(shown, vct="urn:example:mayor:1"))
    assert caught.value.fault is Fault.SIGNATURE
    bare = shown.rpartition("~")[0] + "~"
    with pytest.raises(Unsound) as caught:
        verify_here(bare)
    assert caught.value.fault is Fault.BINDING
