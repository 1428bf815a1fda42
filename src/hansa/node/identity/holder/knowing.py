"""How a wallet finds out who a verifier is: the ledger's own DIDs by what a node proves.

Source: docs/how-to/hold-credentials.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import DidDocument
from hansa.identity.methods.hansa import read_address, resolve_did_hansa
from hansa.node.identity.holder.carrying import Carrier
from hansa.sdk.client import Client
from hansa.sdk.identity.questions import DidQuestion

OpenClient = Callable[[], AbstractContextManager[Client]]


def resolve_verifier(text: str, carrier: Carrier, open_client: OpenClient) -> DidDocument:
    """Resolve a verifier's DID now; a node is asked, and not believed, for those of its ledger.

    Raises:
      Unsound: it cannot be resolved.
      Unavailable: who knows it does not answer.
    """
    did = read_did(text)
    if did.method != "hansa":
        return carrier.resolve(text)
    with open_client() as client:
        network = client.get_network().genesis.network
        rows = client.identity.prove([DidQuestion(read_address(did, network))])
    now_ms = max(carrier.now_ms(), rows.header.time_ms)
    return resolve_did_hansa(rows, network, did, now_ms).document
