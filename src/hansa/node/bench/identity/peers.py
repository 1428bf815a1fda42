"""Others' software on the same credential: packages of Python and of Node, where they are there.

Each does as much of the work as its public functions do: those of Data Integrity check the whole
credential, where our figures are of the proof, which is less than what ours check in `full_verify`.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import secrets
import shutil
import subprocess
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.keys.jwk import write_jwk, write_private_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key
from hansa.kernel.errors import Unavailable
from hansa.node.bench.identity.samples import (
    CHALLENGE,
    CLAIMS,
    CONTEXT,
    DOCUMENT,
    METHOD,
    NOW,
    SHOWN,
    TERMS,
    TYPE,
    VALID_S,
    Measure,
    count_rounds,
)

Rates = dict[str, int]

RATES_MAX = 10
"""A family of packages has fewer."""
START_S = 60
"""For a program of Node to load its packages, on a busy machine."""


def measure_peers(measure: Measure, seconds: float, clients: Path) -> dict[str, Rates]:
    """Measure what is installed, by name and version.

    Args:
      measure: for packages of Python.
      seconds: of each rate of packages of Node.
      clients: the folder whose `node_modules` has these.

    Raises:
      Unavailable: a package is installed, and does not do what it says.
    """
    found = {}
    for package, measure_package in (("sd-jwt", _measure_sd_jwt), ("openvc-core", _measure_openvc)):
        try:
            found[f"{package} {version(package)} (Python)"] = measure_package(measure)
        except ImportError:
            continue
    return found | _measure_node(seconds, clients)


def _measure_sd_jwt(measure: Measure) -> Rates:
    """Measure without key binding, which it verifies with ES256 alone."""
    modules = ("jwcrypto.jwk", "sd_jwt.common", "sd_jwt.issuer", "sd_jwt.verifier")
    jwk, common, issuer, verifier = map(importlib.import_module, modules)
    key, holder_key = (jwk.JWK.generate(kty="OKP", crv="Ed25519") for _ in range(2))
    claims = {"vct": TYPE, "iss": "https://issuer.example", "iat": NOW, "exp": NOW + VALID_S}
    claims |= {common.SDObj(name): text for name, text in CLAIMS.items()}

    def issue() -> str:
        made = issuer.SDJWTIssuer(dict(claims), key, holder_key, sign_alg="EdDSA")
        return str(made.sd_jwt_issuance)

    def verify(presented: str) -> object:
        return verifier.SDJWTVerifier(presented, lambda *_: key).get_verified_payload()

    return {
        "sdjwt_issue_per_s": measure(issue),
        "sdjwt_verify_per_s": measure(partial(verify, issue())),
    }


def _measure_openvc(measure: Measure) -> Rates:
    modules = ("openvc.keys", "openvc.proof.sd_jwt", "openvc.proof.di_jcs")
    keys, sd_jwt, di_jcs = map(importlib.import_module, modules)
    key, holder_key = (generate_private_key(KeyKind.ED25519, secrets.token_bytes) for _ in range(2))
    public_key, holder_jwk = write_jwk(key.public_key), write_jwk(holder_key.public_key)
    theirs, holder = (_load_openvc(keys, each) for each in (key, holder_key))
    suite, jcs = sd_jwt.SdJwtVcProofSuite(), di_jcs.EddsaJcsProofSuite()
    claims = {"iss": "https://issuer.example", **CLAIMS}
    options = {"disclosable": list(CLAIMS), "holder_jwk": holder_jwk, "vct": TYPE}
    issue = partial(suite.issue, claims, signing_key=theirs, expires_in_s=VALID_S, **options)
    issued = issue()
    binding = {"audience": CHALLENGE.audience, "nonce": CHALLENGE.nonce}
    shown = suite.create_presentation(issued, holder_key=holder, **binding)
    verify = partial(suite.verify, public_key_jwk=public_key, expected_vct=TYPE)
    secure = partial(jcs.add_proof, DOCUMENT, signing_key=theirs, verification_method=METHOD)
    now = dt.datetime.fromtimestamp(NOW, dt.UTC)
    return {
        "sdjwt_issue_per_s": measure(issue),
        "sdjwt_verify_per_s": measure(partial(verify, issued)),
        "sdjwt_verify_bound_per_s": measure(
            partial(verify, shown, require_key_binding=True, **binding)
        ),
        "jcs_issue_per_s": measure(secure),
        "jcs_verify_per_s": measure(
            partial(jcs.verify, secure(), public_key_jwk=public_key, now=now)
        ),
    }


def _load_openvc(keys: Any, key: PrivateKey) -> Any:  # noqa: ANN401 - of a package that may lack
    return keys.Ed25519SigningKey.from_jwk(write_private_jwk(key), METHOD)


def _measure_node(seconds: float, clients: Path) -> dict[str, Rates]:
    node = shutil.which("node")
    if node is None or not (clients / "node_modules").is_dir():
        return {}
    question = {
        "claims": CLAIMS,
        "type": TYPE,
        "document": DOCUMENT,
        "contexts": dict(load_pinned().documents) | {CONTEXT: {"@context": TERMS}},
        "shown": SHOWN,
        "challenge": CHALLENGE._asdict(),
        "now": NOW,
        "until": NOW + VALID_S,
        "seconds": seconds,
        "rounds": count_rounds(seconds),
    }
    # Node finds packages from the folder of a program, and that of one in its command line is
    # where it runs.
    program = (files(__package__) / "peers.mjs").read_text()
    try:
        done = subprocess.run(  # noqa: S603 - a program of this package
            [node, "--input-type=module", "--eval", program],
            cwd=clients,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=True,
            timeout=START_S + 10 * RATES_MAX * max(seconds, 1),
        )
    except subprocess.SubprocessError as error:
        told = getattr(error, "stderr", None) or str(error)
        raise Unavailable(
            f"the packages of Node in {clients} could not be measured: {_find_error(told)}"
        ) from error
    found: dict[str, Rates] = json.loads(done.stdout)
    return found


def _find_error(told: str) -> str:
    """Find the line that says what was wrong in what Node tells of an error."""
    lines = told.strip().splitlines()
    return next((line for line in lines if "Error" in line.partition(":")[0]), lines[-1])
