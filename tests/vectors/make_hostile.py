"""Vectors of hostile input to identity: a file a theme; the attacks stand in `tests.hostile`."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile import (
    answers,
    bitstrings,
    clients,
    documents,
    holders,
    issuing,
    lists,
    mobile,
    resolving,
    sd_jwts,
    shown,
    wallets,
)
from tests.hostile.themes import Theme, write_theme

_THEMES: dict[str, Callable[[], Theme]] = {
    "algorithms": sd_jwts.make_algorithms,
    "disclosures": sd_jwts.make_disclosures,
    "bindings": holders.make_bindings,
    "times": holders.make_times,
    "standing": holders.make_standing,
    "answers": answers.make_answers,
    "encryption": answers.make_encryption,
    "transactions": answers.make_transactions,
    "mdoc_issuers": mobile.make_issuers,
    "mdoc_devices": mobile.make_devices,
    "proofs": documents.make_proofs,
    "json_ld": documents.make_json_ld,
    "tokens": shown.make_tokens,
    "presentations": shown.make_presentations,
    "bbs": shown.make_bbs,
    "possession": issuing.make_possession,
    "attestations": issuing.make_attestations,
    "clients": clients.make_clients,
    "requests": wallets.make_requests,
    "dids": resolving.make_documents,
    "webvh": resolving.make_logs,
    "addresses": resolving.make_addresses,
    "status_lists": lists.make_lists,
    "bitstrings": bitstrings.make_lists,
    "wallets": clients.make_wallets,
}


def _make(theme: Callable[[], Theme]) -> Callable[[], dict]:
    return lambda: write_theme(theme())


MAKERS = {name: _make(theme) for name, theme in _THEMES.items()}
