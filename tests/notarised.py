"""Results of reconciling files, and the evidence that their manifests are on a ledger in memory."""

from pathlib import Path

from tests.reconciled import RULES, run_sides
from tests.world import World, key

from hansa.contracts.identity.evidence import Notarise
from hansa.engine.record_items import list_envelopes
from hansa.kernel.receipt_file import build_receipt_file
from hansa.reconcile.batch.manifest import MANIFEST
from hansa.reconcile.entries import Entry
from hansa.sdk.evidence import EVIDENCE_SUFFIX, build_evidence_file, hash_document

FIRST_DAY = 20_500
"""2026-02-16."""
WINDOWED = f"{RULES}\n[window]\ndays = 2\nfrom = 2026-02-16\n"


def make_result(results: Path, name: str, work: Path) -> Path:
    """Reconcile two sides over two windows, with a break of several kinds; returns the folder."""
    left = [
        *(
            Entry("1", "EUR", 10_00 + day, FIRST_DAY + day, FIRST_DAY + day, "a")
            for day in range(4)
        ),
        Entry("1", "EUR", 70_00, FIRST_DAY, FIRST_DAY, "fee", text="<i>Fee</i>"),
        Entry("1", "JPY", 9_000, FIRST_DAY + 1, FIRST_DAY + 1, "b"),
    ]
    right = [
        *(
            Entry("1", "EUR", -10_00 - day, FIRST_DAY + day, FIRST_DAY + day, "a")
            for day in range(4)
        ),
        Entry("1", "EUR", -71_00, FIRST_DAY, FIRST_DAY, "fee"),
    ]
    return run_sides(work, left, right, rules=WINDOWED).rename(results / name)


def put_on_record(
    world: World, folder: Path, notary: str = "north", salt: bytes = bytes(16)
) -> bytes:
    """Notarise the manifest of a result, and lay the evidence beside it; returns the hash."""
    manifest = (folder / MANIFEST).read_bytes()
    hashed = hash_document(manifest, salt, world.network.digest)
    assert world.do(notary, Notarise(key(notary).address, hashed, 0, ())) == ""
    (record,) = world.chain.iterate_records(world.chain.head.height)
    receipt = build_receipt_file(world.network, record, list_envelopes(record), 0)
    evidence = build_evidence_file(hashed, receipt, salt)
    (folder / f"{MANIFEST}{EVIDENCE_SUFFIX}").write_bytes(evidence)
    return hashed
