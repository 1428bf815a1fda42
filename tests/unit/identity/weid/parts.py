"""Issuers of WeIdentity, as their SDK does it, and written apart from what verifies it."""

import base64
import copy
import json
from pathlib import Path

import coincurve
from Crypto.Hash import keccak

VECTORS = Path(__file__).parents[3] / "vectors" / "weid"
NOW_MS = 1_600_000_000_000
FIRST, SECOND, THIRD = "up to 1.6.1", "1.6.2", "from 1.6.3"
CLAIM = {
    "name": "Ana",
    "age": 32,
    "rate": 1.5,
    "is_member": True,
    "note": None,
    "tags": ["a", 1, None],
    "empty": [],
    "address": {"city": "北京", "street": {"name": 'Calle "1"', "no": "7"}},
    "accounts": [{"bank": "x", "no": "1"}, {"bank": "y", "no": "2"}],
    "deep": [[{"a": "b"}]],
}


def keccak_of(data):
    return keccak.new(digest_bits=256, data=data).digest()


def text_of(value):
    """Write JSON as Jackson does, for the few control characters that tests have."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.replace("\\u001f", "\\u001F")


def java_of(value):
    """Write what `String.valueOf` gives."""
    if isinstance(value, list):
        return "[" + ", ".join(map(java_of, value)) + "]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def salt_of(claim):
    """Give each value a salt, as `generateSalt` does."""
    if isinstance(claim, dict):
        return {name: salt_of(each) for name, each in claim.items()}
    if isinstance(claim, list) and all(isinstance(each, dict | list) for each in claim):
        return [salt_of(each) for each in claim]
    return base64.b32encode(keccak_of(java_of(claim).encode()))[:5].decode()


def hash_of(claim, salt):
    if isinstance(salt, dict):
        return {name: hash_of(claim[name], salt[name]) for name in salt}
    if isinstance(salt, list):
        return [hash_of(*pair) for pair in zip(claim, salt, strict=True)]
    return claim if salt == "0" else "0x" + keccak_of((java_of(claim) + salt).encode()).hex()


class Issuer:
    """Whoever has a key and the DID that derives from it."""

    def __init__(self, seed, chain=101):
        self.key = coincurve.PrivateKey(seed.to_bytes(32, "big"))
        point = self.key.public_key.format(compressed=False)[1:]
        self.number = str(int.from_bytes(point, "big"))
        self.did = f"did:weid:{chain}:0x{keccak_of(point)[-20:].hex()}"

    @property
    def document(self):
        url = f"{self.did}#keys-0"
        return {
            "id": self.did,
            "publicKey": [
                {"id": url, "type": "Secp256k1", "owner": self.did, "publicKey": self.number}
            ],
            "authentication": [{"type": "Secp256k1", "publicKey": url}],
            "service": [],
        }

    def sign(self, text, *, is_old):
        digest = keccak_of(text.encode())
        if is_old:
            found = self.key.sign_recoverable(keccak_of(digest), hasher=None)
            found = bytes([27 + found[64]]) + found[:64]
        else:
            found = self.key.sign_recoverable(digest, hasher=None)
        return base64.b64encode(found).decode()

    def issue(self, claim=None, version=THIRD, **members):
        claim = copy.deepcopy(CLAIM if claim is None else claim)
        credential = self.draft(claim, **members)
        salt = salt_of(claim)
        written = write(credential, hash_of(claim, salt), version)
        if version != THIRD:
            written["proof"] = None
        credential["proof"] = {
            "creator": f"{self.did}#keys-0",
            "created": 1_590_000_000,
            "salt": salt,
            "signatureValue": self.sign(text_of(written), is_old=version != THIRD),
            "type": "Secp256k1",
        }
        return credential

    def issue_lite(self, claim, *, has_issue_date=True, is_short=True):
        credential = self.draft(claim, type="lite1")
        del credential["context"]
        written = dict(credential)
        if not has_issue_date:
            del written["issuanceDate"]
        signature = self.sign(text_of(written), is_old=False)
        if is_short:
            return {**credential, "proof": signature}
        proof = {"signatureValue": signature, "type": "Secp256k1"}
        types = ["VerifiableCredential", "lite1"]
        return {**credential, "context": "v1", "type": types, "proof": proof}

    def sign_together(self, credentials, version=THIRD):
        hashes = [evidence_of(each, version) for each in sorted(credentials, key=lambda c: c["id"])]
        credential = self.draft({"credentialList": credentials}, cptId=107, id="multi")
        signature = self.sign("".join(hashes), is_old=version != THIRD)
        salt = {"credentialList": [{} for _ in credentials]}
        credential["proof"] = {"salt": salt, "signatureValue": signature, "type": "Secp256k1"}
        return credential

    def draft(self, claim, **members):
        return {
            "context": "https://github.com/WeBankFinTech/WeIdentity/blob/master/context/v1",
            "id": "2cd5aced-a30a-4934-803d-fb0f090957a4",
            "cptId": 1001,
            "issuer": self.did,
            "issuanceDate": 1_590_000_000,
            "expirationDate": 1_700_000_000,
            "claim": claim,
            "type": ["VerifiableCredential", "original"],
            **members,
        }


def write(credential, hashed, version):
    """Write a credential's members as they are signed, without its proof."""
    members = {name: each for name, each in credential.items() if name != "proof"}
    return {**members, "claim": text_of(hashed) if version == FIRST else hashed}


def evidence_of(credential, version):
    proof = credential["proof"]
    members = write(credential, hash_of(credential["claim"], proof["salt"]), version)
    members["proof"] = {**proof, "salt": None}
    return "0x" + keccak_of(text_of(members).encode()).hex()


def hide(credential, *names):
    """Hide a claim, as `createSelectiveCredential` does."""
    shown = copy.deepcopy(credential)
    claim, salt = shown["claim"], shown["proof"]["salt"]
    for name in names[:-1]:
        claim, salt = claim[name], salt[name]
    claim[names[-1]] = hash_of(claim[names[-1]], salt[names[-1]])
    salt[names[-1]] = "0"
    return shown


def read_vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text())
