"""Credentials and status lists made to eat memory or time, signed by whoever made them.

Run as a program: it exits with an error if a reader lets a foreign exception out, and is killed
if it needs more than 30 s of processor time or `MEMORY_MAX` more than it began with.
"""

from __future__ import annotations

import json
import resource
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.disclosing import CHALLENGE, HOLDER, ISSUER, NOW_S, bind, digest_of, disclose, forge

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Unsound
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import write_jwk
from hansa.identity.sd_jwt.credential import verify_credential
from hansa.identity.sd_jwt.presentation import select_disclosures
from hansa.identity.sd_jwt.serialization import (
    DISCLOSURES_MAX,
    SdJwt,
    decode_json_sd_jwt,
    decode_sd_jwt,
)
from hansa.identity.status.token_list import verify_jwt_list

MEMORY_MAX = 320 << 20
PROCESSOR_S = 30
SIZE = 700_000
"""Of a payload, so that its base64url is just below the bound."""
URI = "https://issuer.example.org/status/7"
OWN = {"vct": "urn:bomb", "cnf": {"jwk": write_jwk(HOLDER.public_key)}}
FILLINGS = ("[]", "0", '{"":0}', '{"...":"x"}')


def list_credentials() -> Iterator[SdJwt]:
    """Make credentials that cost a careless reader many times what they cost to send."""
    for filling in FILLINGS:
        many = ",".join([filling] * (SIZE // (len(filling) + 1)))
        yield forge(f'{{"vct":"urn:bomb","a":[{many}]}}'.encode())
        text = encode_base64url(f'["s","a",[{many}]]'.encode())
        yield forge(OWN | {"_sd": [digest_of(text)]}, text)
        yield forge(OWN, text)  # that nobody signed
    names = ",".join(f'"{number}":0' for number in range(SIZE // 11))
    yield forge(f'{{"vct":"urn:bomb",{names}}}'.encode())
    digests = [str(number) for number in range(SIZE // 11)]
    yield forge(OWN | {"_sd": digests})
    yield forge(b'{"vct":"urn:bomb","a":' + b"[" * SIZE + b"]" * 9)
    yield forge(b'{"vct":"urn:bomb","a":' + b"9" * SIZE + b"}")
    texts = [disclose("s", f"claim {number}", "x" * 400) for number in range(DISCLOSURES_MAX)]
    yield forge(OWN | {"_sd": [digest_of(text) for text in texts]}, *texts)
    chain = [disclose("s", "a", 1)]
    for _ in range(DISCLOSURES_MAX - 1):
        chain.append(disclose("s", "a", {"_sd": [digest_of(chain[-1])]}))
    yield forge(OWN | {"_sd": [digest_of(chain[-1])]}, *chain)
    yield SdJwt(("~" * SIZE,), ())
    yield SdJwt(("." * SIZE,), ("d",) * DISCLOSURES_MAX)


def throw_credential(sd_jwt: SdJwt) -> None:
    """Throw a credential at whoever verifies or holds it."""
    with suppress(Unsound):
        found = decode_sd_jwt(sd_jwt.encode())
        with suppress(Unsound):
            verify_credential(bind(found), ISSUER.public_key, NOW_S, CHALLENGE)
        select_disclosures(found, [("a", None), ("a",), ("vct",)])


def throw_list(megabytes: int) -> None:
    """Throw a list that expands to so much."""
    bomb = zlib.compressobj(9)
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(megabytes)) + bomb.flush()
    claims = {"sub": URI, "iat": NOW_S, "status_list": {"bits": 1, "lst": encode_base64url(data)}}
    token = sign_jws(ISSUER, {"typ": "statuslist+jwt"}, json.dumps(claims).encode())
    with suppress(Unsound):
        verify_jwt_list(token, ISSUER.public_key, URI, NOW_S)
        raise AssertionError("a bomb was accepted")


def main() -> None:
    begin = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (begin + MEMORY_MAX, begin + MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    for sd_jwt in list_credentials():
        throw_credential(sd_jwt)
    for form in ('{"header":' + "[" * SIZE, '{"signatures":[' + "{}," * 300_000 + "{}]}"):
        with suppress(Unsound):
            decode_json_sd_jwt(form)
    throw_list(64)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_maxrss // 1024, "MB", round(usage.ru_utime, 1), "s")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
