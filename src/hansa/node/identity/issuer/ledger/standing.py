"""What must stand on the ledger before an issuer's credentials are believed.

Source: docs/concepts/identity.md, verification.
"""

from __future__ import annotations

from hansa.identity.faults import Unsound
from hansa.identity.verifier.registry import Registry
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.identity.issuer.formats.writing import Identity
from hansa.node.identity.issuer.settings import Settings
from hansa.program import name_program


async def check_standing(
    settings: Settings, identity: Identity, registry: Registry, now_ms: int
) -> list[str]:
    """Check an issuer as verifiers do; returns what keeps them from believing it, by types.

    Raises:
      Invalid: the key that signs is not the issuer's by its DID document.
      Unavailable: the ledger does not answer.
    """
    try:
        found = await registry.find_issuer_key(identity.issuer, identity.header, now_ms)
    except Unsound as error:
        raise _wrong(settings, error.message) from None
    if found.key != identity.signer.public_key:
        raise _wrong(settings, "its document has another key under that name")
    if found.replaced_since_ms:
        raise _wrong(settings, "its document has that key no longer")
    warnings: list[str] = []
    for kind in settings.credentials:
        try:
            standing = await registry.find_standing(settings.did, kind.type, now_ms)
        except Unsound as error:
            warnings.append(f"credential {kind.id}: {error.message}")
            continue
        if not standing.is_accredited or standing.lost_since_ms:
            warnings.append(
                f"credential {kind.id}: verifiers will not believe it, as {standing.text}"
            )
    return warnings


def _wrong(settings: Settings, why: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"did and key_id of issuer.toml: the key that signs is not that of {settings.key_id} for "
        f"what {settings.did} asserts ({why}): put it into its document, by {name_program()} id "
        "update KEYFILE --method NAME KEY assert, or name the key that is there",
    )
