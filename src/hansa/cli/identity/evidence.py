"""Evidence: id evidence notarise, collect, cosign, note, revoke, show, verify."""

from __future__ import annotations

import argparse
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hansa.cli.identity.finishing import find_pending, finish, require_same
from hansa.cli.identity.notarising import (
    DOCUMENT_BYTES_MAX,
    PENDING_SUFFIX,
    Terms,
    add_signed,
    collect,
    load_pending,
    prepare,
    read_name,
    save_pending,
)
from hansa.cli.identity.reading import PARTY, print_proven, read_content, read_party, write_moment
from hansa.cli.screen import Sent, complain, print_found
from hansa.cli.source import (
    add_node,
    add_signing,
    open_client,
    parse_file,
    parse_folder,
    parse_hash,
    read_genesis_hash,
)
from hansa.cli.tx import OK, await_well, load_keys, send, submit_signed, tell_answer
from hansa.contracts.identity import evidence
from hansa.kernel.block import split_position
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound
from hansa.node.joining.checkpoints import read_checkpoint
from hansa.program import name_program
from hansa.sdk.answers import Transaction, TransactionResult
from hansa.sdk.client import Client
from hansa.sdk.evidence import FILE_BYTES_MAX, SALT_BYTES, hash_document, verify_evidence_file
from hansa.sdk.identity.questions import EvidenceQuestion
from hansa.sdk.keys import KeyPair

WHAT = "evidence file, or a hash together with --notary"
NOTE_BYTES_MAX = 1 << 20


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the word `evidence` to the command `id`."""
    word = words.add_parser("evidence", help="hashes of documents on record, and what proves them")
    words = word.add_subparsers(dest="evidence_word", required=True, metavar="WORD")
    _add_notarise(words)
    for name, function, text in (
        ("cosign", _cosign, "sign evidence, as one whom its notary named"),
        ("revoke", _revoke, "no longer stand by evidence, as its notary; for good"),
        ("note", _note, "add the hash of a note to evidence, as its notary or a cosigner"),
    ):
        command = words.add_parser(name, help=text)
        command.add_argument("key", type=parse_file, help="key file of who does it")
        command.add_argument("evidence", help=WHAT)
        if name == "note":
            command.add_argument("text", type=parse_file, help="file with the note; stays with you")
        command.add_argument("--notary", metavar="DID", help=PARTY)
        if name == "revoke":
            command.add_argument(
                "--all", action="store_true", help="all hashes of a batch, where it is of one"
            )
        else:
            command.add_argument(
                "--as", dest="actor", metavar="DID", help=f"{PARTY}, if not the key's"
            )
        add_signing(command)
        command.set_defaults(function=function)
    show = words.add_parser("show", help="what is on record now, proved: signers, notes, revoked")
    show.add_argument("evidence", help=WHAT)
    show.add_argument("--notary", metavar="DID", help=PARTY)
    add_node(show)
    show.set_defaults(function=_show)
    check = words.add_parser("verify", help="verify an evidence file, without a node")
    check.add_argument("evidence", type=parse_file, help="evidence file")
    check.add_argument("document", type=parse_file, nargs="?", help="the document that it is of")
    check.add_argument("--genesis", metavar="HASH", help="genesis hash of the network you mean")
    check.add_argument(
        "--checkpoint", type=parse_file, metavar="FILE", help="checkpoint that you kept"
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(function=_verify)


def _add_notarise(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    notarise = words.add_parser("notarise", help="put the hashes of documents on record")
    notarise.add_argument("key", type=parse_file, help="key file of the notary")
    notarise.add_argument("documents", type=parse_file, nargs="+", metavar="DOCUMENT")
    notarise.add_argument("--notary", metavar="DID", help=f"{PARTY}, if not the key's address")
    notarise.add_argument(
        "--batch", action="store_true", help="by one root, however many documents there are"
    )
    notarise.add_argument(
        "--cosigner", action="append", default=[], metavar="DID", help="who is to sign, too; repeat"
    )
    notarise.add_argument(
        "--out", type=parse_folder, metavar="FOLDER", help="for evidence files (default: beside)"
    )
    add_signing(notarise)
    notarise.set_defaults(function=_notarise)
    again = words.add_parser("collect", help="write the evidence files of what was sent before")
    again.add_argument("pending", type=parse_file, help=f"the file *{PENDING_SUFFIX} that was left")
    again.add_argument("id", nargs="?", help="transaction id, if the file does not say it")
    add_node(again)
    again.set_defaults(function=_collect)


class Request(NamedTuple):
    """What is to be notarised, and for whom."""

    documents: Sequence[Path]
    notary: bytes
    cosigners: tuple[bytes, ...] = ()
    folder: Path | None = None
    """Where evidence files go; beside the documents if None."""
    is_batch: bool = False
    """Whether they go on record by one root."""


class Notarised(NamedTuple):
    """What is on record, and whose evidence files are written."""

    tx_id: bytes
    height: int
    time_ms: int
    files: list[Path]


Outcome = Notarised | TransactionResult | Transaction
"""What was notarised, or the transaction that a rule refused."""


def _notarise(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        notary = read_party(client, options.notary) if options.notary else key.address
        cosigners = tuple(read_party(client, each) for each in options.cosigner)
        request = Request(options.documents, notary, cosigners, options.out, options.batch)
        return _tell(client, options, notarise(client, options, key, request))


def notarise(
    client: Client, options: argparse.Namespace, key: KeyPair, request: Request
) -> Outcome:
    """Put hashes of documents on record, or go on with what was begun, and write evidence files.

    Args:
      client: talks to the node.
      options: of the command; those of signing are used.
      key: of the notary.
      request: what is notarised.

    Raises:
      Invalid: a document was notarised before, or another try is not finished.
      Unavailable: nothing was sent.
      Sent: what became of it is not known, or not all evidence files are written.
    """
    begun = find_pending(request.documents, request.folder)
    if begun is not None:
        cosigners = tuple(each.hex() for each in request.cosigners)
        terms = Terms(request.notary.hex(), cosigners, request.is_batch)
        digest = client.get_network().digest
        require_same(begun, request.documents, request.folder, terms, digest)
        complain(f"hansa: going on with what was begun before, in {begun[0]}")
        answer = finish(client, options, *begun)
        if answer is not None:
            return _conclude(client, begun[0], answer)
        begun[0].unlink(missing_ok=True)
        complain("hansa: of that nothing is on record, nor ever will be: beginning anew")
    return _begin(client, options, key, request)


def _begin(client: Client, options: argparse.Namespace, key: KeyPair, request: Request) -> Outcome:
    """Hash, sign, keep all of it, and only then send."""
    await_well(client, is_json=options.json)
    pending, command = prepare(
        request.documents,
        request.notary,
        request.cosigners,
        client.get_network().digest,
        secrets.token_bytes,
        folder=request.folder,
        is_batch=request.is_batch,
    )
    signed = client.sign([key], [command])
    pending = add_signed(pending, signed, client.get_network())
    path = save_pending(pending, request.documents[0], request.folder)
    try:
        answer = submit_signed(client, options, signed, pending=str(path))
    except HansaError as error:
        if not isinstance(error, Sent):  # nothing is on record, so no salt is needed
            path.unlink()
        raise
    return _conclude(client, path, answer)


def _conclude(client: Client, path: Path, answer: TransactionResult | Transaction) -> Outcome:
    """Write the evidence files, if there are to be any; what was kept goes."""
    if answer.status != OK:
        path.unlink(missing_ok=True)
        return answer
    try:
        return _write(client, path, bytes.fromhex(answer.tx_id))
    except HansaError as error:
        again = f"{name_program()} id evidence collect {shlex.quote(str(path))}"
        raise Sent(
            f"the transaction {answer.tx_id} is confirmed, but not all evidence files are "
            f"written: {error.message}. Do not notarise anew: {again}",
            tx_id=answer.tx_id,
            pending=str(path),
        ) from None


def _collect(options: argparse.Namespace) -> int:
    path: Path = options.pending
    with open_client(options) as client:
        if options.id is not None:
            found = _write(client, path, parse_hash(options.id, "transaction id"))
            return _tell(client, options, found)
        answer = finish(client, options, path, load_pending(path))
        if answer is not None:
            return _tell(client, options, _conclude(client, path, answer))
        path.unlink(missing_ok=True)
        raise NotFound(
            "nothing of this is on record, nor ever will be, so what was kept of it is removed: "
            "notarise anew"
        )


def _write(client: Client, pending: Path, tx_id: bytes) -> Notarised:
    """Write the evidence files of a confirmed transaction; the salts are then in them."""
    found = load_pending(pending)
    receipt = client.get_receipt(tx_id)
    files = collect(found, receipt.raw, client.get_network())
    pending.unlink(missing_ok=True)
    return Notarised(tx_id, receipt.header.height, receipt.header.time_ms, files)


def _tell(client: Client, options: argparse.Namespace, found: Outcome) -> int:
    """Print what was notarised, or why it was not; returns the exit code."""
    if not isinstance(found, Notarised):
        return tell_answer(client, found, options)
    print_found(describe_notarised(found, is_json=options.json), is_json=options.json)
    return 0


def describe_notarised(found: Notarised, *, is_json: bool) -> dict[str, object]:
    """Describe what was notarised, as the commands print it."""
    return {
        "tx_id": found.tx_id.hex(),
        "height": found.height,
        **({"time_ms": found.time_ms} if is_json else {"time": write_moment(found.time_ms)}),
        "files": [str(file) for file in found.files],
    }


def _cosign(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        notary, found = _read_evidence(client, options)
        actor = read_party(client, options.actor) if options.actor else key.address
        return send(client, options, [key], [evidence.Cosign(notary, found, actor)])


def _revoke(options: argparse.Namespace) -> int:
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        notary, found = _read_evidence(client, options)
        row = client.identity.ask(EvidenceQuestion(notary, found)).answer.evidence
        if row is not None and row.leaves > 1 and not options.all:
            raise Invalid(
                InvalidCode.ARGUMENTS,
                f"this is one of {row.leaves} hashes under one root, which is revoked as a whole: "
                "say --all if you stand by none of them any more",
            )
        return send(client, options, [key], [evidence.Revoke(notary, found)])


def _note(options: argparse.Namespace) -> int:
    text = read_content(options.text, NOTE_BYTES_MAX)
    salt = secrets.token_bytes(SALT_BYTES)
    (key,) = load_keys([options.key])
    with open_client(options) as client:
        notary, found = _read_evidence(client, options)
        actor = read_party(client, options.actor) if options.actor else key.address
        note = hash_document(text, salt, client.get_network().digest)
        command = evidence.AddNote(notary, found, actor, note)
        return send(client, options, [key], [command], note_hash=note.hex(), salt=salt.hex())


def _show(options: argparse.Namespace) -> int:
    with open_client(options) as client:
        notary, evidence_hash = _read_evidence(client, options)
        found = client.identity.ask(EvidenceQuestion(notary, evidence_hash))
    row, notes = found.answer
    if row is None:
        raise NotFound(
            f"as of block {found.header.height} this notary has put no such hash on record; what "
            "is newer is proved with a block that comes a second or more after it"
        )
    height, index = split_position(row.position)
    told = {
        "notary": to_text(notary),
        "hash": evidence_hash.hex(),
        "leaves": row.leaves,
        "since_ms": row.since_ms,
        "height": height,
        "index": index,
        "cosigners": [to_text(each) for each in row.cosigners],
        "signed": [
            {"cosigner": to_text(each.cosigner), "time_ms": each.time_ms} for each in row.signed
        ],
        "notes": [
            {"author": to_text(each.author), "hash": each.note_hash.hex(), "time_ms": each.time_ms}
            for each in notes
        ],
        "revoked_ms": row.revoked_ms,
    }
    print_proven(told, found.header, is_json=options.json)
    return 0


def _verify(options: argparse.Namespace) -> int:
    raw = read_content(options.evidence, FILE_BYTES_MAX)
    checkpoint = read_checkpoint(options.checkpoint) if options.checkpoint else None
    found = verify_evidence_file(raw, read_genesis_hash(options), checkpoint)
    if options.document is not None:
        document = read_content(options.document, DOCUMENT_BYTES_MAX)
        if not found.salt:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{options.evidence} holds no salt, so it does not show which document it is of",
            )
        if not found.is_of(document):
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{options.document} is not the document whose hash is on record: it was changed, "
                "or the evidence is of another",
            )
    told = {
        "evidence_ok": True,
        "document_ok": True if options.document is not None else None,
        "notary": to_text(found.notary),
        "hash": found.evidence_hash.hex(),
        "leaves": found.leaves,
        "cosigners": [to_text(each) for each in found.cosigners],
        "height": found.receipt.header.height,
        **({"time_ms": found.time_ms} if options.json else {"time": write_moment(found.time_ms)}),
        "tx_id": found.receipt.tx_id.hex(),
        "genesis_hash": found.receipt.genesis_hash.hex(),
        "is_trusted": options.genesis is not None or checkpoint is not None,
    }
    if not options.json and options.document is None:
        told["document_ok"] = "none was given"
    print_found(told, is_json=options.json)
    return 0


def _read_evidence(client: Client, options: argparse.Namespace) -> tuple[bytes, bytes]:
    """Read whose evidence is meant and under what hash, from a file that proves it or as said."""
    text, notary = options.evidence, options.notary
    if notary is not None:
        return read_party(client, notary), parse_hash(text, "hash")
    return read_name(Path(text), client.get_network().genesis_hash)
