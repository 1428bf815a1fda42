"""What is shown where certain paths must be: the wallet's history tells all of it."""

import json
import secrets
from types import SimpleNamespace

import msgspec
import pytest
from tests.unit.identity.verifier.playing import HOLDER, ISSUER_KEY, draw_from

from hansa.identity.bbs.ciphersuites import BBS_SHA_256
from hansa.identity.bbs.secret_keys import derive_secret_key
from hansa.identity.bbs_2023.proof_values import decode_base_proof, encode_base_proof
from hansa.identity.bbs_2023.suite import add_base_proof
from hansa.identity.data_integrity.contexts import CREDENTIALS_V2, UNDEFINED_TERMS, load_pinned
from hansa.identity.data_integrity.proofs import Proof
from hansa.identity.dcql.queries import read_query
from hansa.identity.faults import Unsound
from hansa.identity.sd_jwt.credential import Credential, issue_credential
from hansa.identity.wallet.formats.table import find_format
from hansa.identity.wallet.holdings import Origin, show_claims, take_credential
from hansa.identity.wallet.presenting import propose

BBS_KEY = derive_secret_key(BBS_SHA_256, b"\x07" * 32)
CLAIMS = {
    "given_name": "Mei",
    "address": {"country": "MO", "street": "Rua"},
    "cards": ["one", {"number": 2, "kind": "gold"}],
    "empty": {},
    "birth_date": "1999-01-01",
}
SELECTIVE = (("birth_date",), ("address", "street"), ("cards", 0), ("cards", 1, "number"))


def hold(selective=SELECTIVE):
    credential = Credential(
        vct="urn:city:resident",
        claims=CLAIMS,
        selective=selective,
        issuer="did:hansa:city:office",
        holder_key=HOLDER.public_key,
        issued_s=1_795_953_600,
        expires_s=1_795_963_600,
    )
    text = issue_credential(ISSUER_KEY, credential, draw_from(900)).encode()
    return take_credential(
        "dc+sd-jwt",
        text,
        holding_id="a.0",
        origin=Origin("https://office.example", 0),
        keys={HOLDER.public_key: None},
    )


def widen(holding, *paths):
    return find_format(holding.format).widen(holding.credential, paths)


def test_what_an_issuer_left_open_is_told_as_shown():
    holding = hold()
    found = widen(holding)
    assert set(found) == {
        ("given_name",),
        ("address", "country"),
        ("cards", 1, "kind"),
        ("empty",),
    }
    assert show_claims(holding, found) == show_claims(holding, ())  # and nothing more is shown


def test_what_is_asked_for_stands_first_and_once():
    holding = hold()
    assert widen(holding, ("birth_date",), ("given_name",))[:2] == (
        ("birth_date",),
        ("given_name",),
    )
    assert ("address", "country") not in widen(holding, ("address",))
    assert show_claims(holding, widen(holding, ("address",)))["address"] == CLAIMS["address"]


def test_of_what_may_all_be_kept_nothing_is_told():
    assert widen(hold(selective=None)) == ()


def hold_derivable(*mandatory):
    document = {
        "@context": [CREDENTIALS_V2, UNDEFINED_TERMS],
        "type": ["VerifiableCredential", "Resident"],
        "issuer": "did:web:city.example",
        "credentialSubject": {"given_name": "Mei", "cards": [{"number": 1}, {"number": 2}]},
    }
    proof = Proof("bbs-2023", "did:web:city.example#bbs")
    made = add_base_proof(
        document, BBS_KEY, proof, list(mandatory), load_pinned(), secrets.token_bytes
    )
    return take_credential(
        "ldp_vc",
        made,
        holding_id="b.0",
        origin=Origin("https://office.example", 0),
        keys={},
    )


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("/issuer", ("issuer",)),
        ("/credentialSubject/cards/1/number", ("credentialSubject", "cards", 1, "number")),
        ("/type/1", ("type", 1)),
    ],
)
def test_what_an_issuer_made_mandatory_is_told_also_in_an_array(pointer, place):
    holding = hold_derivable(pointer)
    paths = widen(holding, ("credentialSubject", "given_name"))
    assert paths == (place, ("credentialSubject", "given_name"))
    assert show_claims(holding, paths)["credentialSubject"]["given_name"] == "Mei"


def test_where_all_is_mandatory_all_is_told():
    holding = hold_derivable("")
    paths = widen(holding, ("issuer",))
    assert paths == (("type",), ("issuer",), ("credentialSubject",))
    assert show_claims(holding, paths)["credentialSubject"]["cards"][1] == {"number": 2}


@pytest.mark.parametrize("pointer", ["/nothing", "issuer", "/credentialSubject/cards/7", "/a~2"])
def test_what_could_never_be_shown_is_not_taken(pointer):
    made = json.loads(hold_derivable("/issuer").credential)
    base = decode_base_proof(made["proof"]["proofValue"])
    made["proof"]["proofValue"] = encode_base_proof(base._replace(mandatory_pointers=[pointer]))
    origin = Origin("https://office.example", 0)
    with pytest.raises(Unsound):
        take_credential("ldp_vc", made, holding_id="b.0", origin=origin, keys={})


def test_of_two_that_would_do_the_one_that_shows_less_is_taken():
    """Not the one of which less was asked for: what its issuer left open is shown, too."""
    query = {
        "credentials": [
            {
                "id": "c",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": ["urn:city:resident"]},
                "claims": [{"path": ["birth_date"]}],
            }
        ]
    }
    open_one, kept_one = hold(), msgspec.structs.replace(hold(selective=None), id="b.0")
    request = SimpleNamespace(query=read_query(query))
    (made,) = propose(request, [open_one, kept_one]).matches.values()
    assert made.candidate.id == "b.0"
    assert show_claims(kept_one, made.paths).keys() & CLAIMS.keys() == {"birth_date"}


def test_of_two_queries_that_would_do_the_one_that_shows_less_is_answered():
    meta = {"vct_values": ["urn:city:resident"]}
    queries = [
        {
            "id": "whole",
            "format": "ldp_vc",
            "meta": {"type_values": [["Resident"]]},
            "claims": [{"path": ["credentialSubject", "given_name"]}],
            "require_cryptographic_holder_binding": False,
        },
        {
            "id": "part",
            "format": "dc+sd-jwt",
            "meta": meta,
            "claims": [{"path": ["given_name"]}, {"path": ["birth_date"]}],
        },
    ]
    query = {
        "credentials": queries,
        "credential_sets": [{"options": [["whole"], ["part"]]}],
    }
    request = SimpleNamespace(query=read_query(query))
    found = propose(request, [hold_derivable(""), hold(selective=None)])
    assert set(found.matches) == {"part"}
