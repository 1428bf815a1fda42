"""The word by which an owner opens a decision years later, and decides again: open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from hansa.cli.passphrase import ask_passphrase
from hansa.cli.risk.amounts import Decimals, fetch_decimals, tell_amount
from hansa.cli.risk.desk import add_tx_id, parse_tx_id
from hansa.cli.risk.extra import needing_extra
from hansa.cli.screen import print_json, print_table
from hansa.cli.source import add_source, open_client, open_home
from hansa.contracts import payments
from hansa.contracts.currency import Asset
from hansa.contracts.policy import Policy
from hansa.contracts.risk import in_force
from hansa.engine.record_items import find_envelope
from hansa.engine.storage import is_locked
from hansa.kernel.block import Receipt, compute_position, split_position
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.machine.state import Reader
from hansa.kernel.rows import KeyPart, R, Rows
from hansa.kernel.transaction import decode_envelope
from hansa.node.home import Home, open_chain_read_only
from hansa.sdk.risk.questions import BasisQuestion

if TYPE_CHECKING:
    from hansa.engine.chain import Chain
    from hansa.node.risk.audit.examining import Case, Examination, Ledger
    from hansa.node.risk.clerk.format import KeptDecision
    from hansa.node.risk.clerk.journal import Journal
    from hansa.risk.decisions.commitment import DecisionRecord, Executed
    from hansa.sdk.client import Client
    from hansa.sdk.risk.desk_answers import DecidedPayment, RiskDecision

EXIT_FAILS = 1
MARKS = {True: "pass", False: "FAIL", None: "-"}
ATTESTED = frozenset({"Transferred", "Held", "Refunded", "Converted"})
"""Events of payments that repeat the attestation beside them, as their last field."""
VERDICTS = {"allow": 0, "step_up": 1, "review": 2, "block": 3}


def add_words(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's words to the command `risk`."""
    text = "open the commitment to a decision, and decide again from its features"
    command = words.add_parser("open", help=text, description=text)
    add_tx_id(command)
    add_source(command)
    command.set_defaults(function=_open)


def _open(options: argparse.Namespace) -> int:
    tx_id = parse_tx_id(options)
    with needing_extra():
        from hansa.node.risk.audit.examining import examine  # noqa: PLC0415 - an extra
    if options.data is None:
        with open_client(options) as client:
            case = _fetch_case(client, tx_id)
            ledger = _ask_ledger(client, case, tx_id)
            decimals = {} if options.json else fetch_decimals(client)
    else:
        home = open_home(options)
        with open_journal(home) as journal:
            case = _read_case(home, journal, tx_id)
        with closing(open_chain_read_only(home)) as chain:
            ledger = _read_ledger(chain, case, tx_id)
            found = examine(case, ledger)
            decimals = _read_decimals(chain, case)
            return _tell(options, case, ledger, found, decimals)
    return _tell(options, case, ledger, examine(case, ledger), decimals)


# --- from a folder -------------------------------------------------------------------------------


@contextmanager
def open_journal(home: Home) -> Iterator[Journal]:
    """Open the decisions of a data folder for reading, once the passphrase was asked for.

    Raises:
      NotFound: the node never decided.
      Invalid: the passphrase is wrong.
      Unavailable: its node runs, the extra is not installed, or the disk refuses.
    """
    with needing_extra():
        from hansa.node.risk.clerk.journal import Journal  # noqa: PLC0415 - an extra
    home.load_network()  # which says what is wrong with what was named
    path = home.decisions_path
    if not path.is_file():
        raise NotFound(
            f"there is no {path}: this node never decided, or the file is to be brought back",
            path=str(path),
        )
    if is_locked(home.log_path):
        raise Unavailable(f"the node of {home.path} runs, and has {path} open: stop it first")
    with Journal.reading(path, ask_passphrase()) as journal:
        yield journal


def _read_case(home: Home, journal: Journal, tx_id: bytes) -> Case:
    from hansa.node.risk.audit.examining import Case  # noqa: PLC0415 - an extra
    from hansa.node.risk.registry import MODELS, Registry  # noqa: PLC0415
    from hansa.risk.decisions.commitment import decode_record  # noqa: PLC0415
    from hansa.risk.intake.describing import FEATURES  # noqa: PLC0415

    kept = journal.find_decision(tx_id)
    if kept is None:
        raise NotFound("this node decided on no such transaction")
    record = decode_record(kept.record)
    model = None
    if record.model != in_force.NO_MODEL:
        try:
            registry = Registry(home.risk_path / MODELS, FEATURES)
            model = registry.read_file(record.model.hex())
        except NotFound:
            model = None
    policy, features = journal.find_basis(record.policy), journal.find_basis(record.features)
    return Case(kept, journal.find_answer(tx_id), policy, model, features)


def _read_ledger(chain: Chain, case: Case, tx_id: bytes) -> Ledger:
    from hansa.node.risk.audit.examining import Ledger  # noqa: PLC0415 - an extra
    from hansa.risk.decisions.commitment import Executed  # noqa: PLC0415

    rows = Reader(chain.machine.state)
    try:
        height, index = chain.find_position(tx_id)
    except NotFound:
        return Ledger(chain.network, rows, None)
    envelope, sponsor, attestation = find_envelope(chain.get_record(height), index)
    time_ms = chain.get_header(height).time_ms
    position = compute_position(height, index)
    is_needed = _is_model_needed(rows, case.kept, time_ms)
    executed = Executed(tx_id, sponsor, attestation, position, time_ms, is_needed)
    return Ledger(chain.network, rows, executed, decode_envelope(envelope)[1])


def _read_decimals(chain: Chain, case: Case) -> Decimals:
    rows = Reader(chain.machine.state)
    found = {each.asset: rows.get(Asset, each.asset) for each in case.kept.payments}
    return {asset: row.exponent for asset, row in found.items() if row is not None}


# --- from a node ---------------------------------------------------------------------------------


def _fetch_case(client: Client, tx_id: bytes) -> Case:
    from hansa.node.risk.audit.examining import Case  # noqa: PLC0415 - an extra
    from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision  # noqa: PLC0415

    found = client.risk.get_decision(tx_id)
    kept = KeptDecision(
        bytes.fromhex(found.document),
        bytes.fromhex(found.salt),
        tuple(_read_payment(each) for each in found.payments),
        -1 if found.ppm is None else found.ppm,
        tuple(found.trials),
        bytes.fromhex(found.challenger) if found.challenger else in_force.NO_MODEL,
        -1 if found.challenger_ppm is None else found.challenger_ppm,
    )
    answer = None
    if found.answer is not None:
        given = found.answer
        raw, salt = bytes.fromhex(given.document or ""), bytes.fromhex(given.salt or "")
        answer = KeptAnswer(given.answer, given.by, given.time_ms, raw, salt)
    return Case(kept, answer, *_fetch_basis(client, found))


def _fetch_basis(client: Client, found: RiskDecision) -> tuple[bytes | None, bytes | None]:
    policy = model = None
    try:
        policy = client.risk.fetch_policy(bytes.fromhex(found.policy))
        if found.model is not None:
            model = client.risk.fetch_model(bytes.fromhex(found.model))
    except NotFound:
        pass
    return policy, model


def _read_payment(payment: DecidedPayment) -> Any:  # noqa: ANN401 - of an extra
    from hansa.node.risk.clerk.format import KeptPayment  # noqa: PLC0415 - an extra
    from hansa.risk.packing import pack_row  # noqa: PLC0415 - an extra

    listed = payment.listed
    return KeptPayment(
        from_text(payment.payer),
        from_text(payment.payee),
        payment.asset,
        int(payment.amount_minor),
        -1 if payment.number is None else payment.number,
        False,  # noqa: FBT003 - what is remembered is no part of what was committed to
        pack_row(payment.row),
        None if listed is None else (VERDICTS[listed.verdict], listed.reason),
    )


class _Proven:
    """Rows that a node proved: those that an opening rests on, and policy as it is asked for."""

    def __init__(self, client: Client, rows: Rows) -> None:
        self._client = client
        self._rows = rows

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:
        """Get a row, or None if there is none."""
        if row_type is Policy:
            return self._client.prove_row("policy", str(key[0])).row  # type: ignore[return-value]
        return self._rows.get(row_type, *key)


def _ask_ledger(client: Client, case: Case, tx_id: bytes) -> Ledger:
    """Ask the node what the ledger has: receipt and rows proved, who sponsored as it is told."""
    from hansa.node.risk.audit.examining import Ledger  # noqa: PLC0415 - an extra
    from hansa.risk.decisions.commitment import Executed, decode_record  # noqa: PLC0415

    network = client.get_network()
    record = decode_record(case.kept.record)
    try:
        told, proof = client.get_transaction(tx_id), client.get_receipt(tx_id)
    except NotFound:
        return Ledger(network, _Nothing(), None)
    if (proof.header.height, proof.index) != (told.height, told.index):
        raise Invalid(InvalidCode.MALFORMED, "the node tells of another place than it proves")
    attested = case.answer.record if case.answer is not None and case.answer.record else None
    model = record.model if attested is None else decode_record(attested).model
    position = compute_position(proof.header.height, proof.index)
    sponsor = from_text(told.sponsor)
    proven = client.risk.prove([BasisQuestion(sponsor, model, position)])
    if proven.header.height < proof.header.height:
        raise Unavailable(
            f"the node proves its rows as of block {proven.header.height}, and the transaction is "
            f"in block {proof.header.height}: ask again in some seconds"
        )
    rows = _Proven(client, proven)
    time_ms = proof.header.time_ms
    is_needed = model == in_force.NO_MODEL and _is_model_needed(rows, case.kept, time_ms)
    attestation = bytes.fromhex(told.attestation) if told.attestation else None
    check_attested(proof.receipt, attestation)
    executed = Executed(tx_id, sponsor, attestation, position, time_ms, is_needed)
    return Ledger(network, rows, executed, proof.body)


def check_attested(receipt: Receipt, attestation: bytes | None) -> None:
    """Check an attestation that a node tells against the payments of a proved receipt.

    Raises:
      Invalid: the ledger has another one.
    """
    proved = {
        bytes(fields[-1])
        for contract, name, fields in receipt.events
        if contract == payments.NAME and name in ATTESTED
    }
    if proved - {attestation or b""}:
        raise Invalid(InvalidCode.MALFORMED, "the node tells of another attestation than it proves")


class _Nothing:
    """Where no row is needed."""

    def get(self, row_type: type[R], *key: KeyPart) -> R | None:  # noqa: ARG002 - of `Rows`
        """Get none."""
        return None


def _is_model_needed(rows: Rows, kept: KeptDecision, time_ms: int) -> bool:
    """Whether policy demanded a model of any payment of a transaction."""
    return any(
        in_force.is_model_needed(rows, each.asset, each.amount_minor, time_ms)
        for each in kept.payments
    )


# --- what is printed -----------------------------------------------------------------------------


def _tell(
    options: argparse.Namespace,
    case: Case,
    ledger: Ledger,
    found: Examination,
    decimals: Decimals,
) -> int:
    if options.json:
        print_json(_describe(case, ledger, found))
    else:
        print_table(_describe_for_people(case, ledger, found, decimals))
    return 0 if found.is_sound else EXIT_FAILS


def _describe(case: Case, ledger: Ledger, found: Examination) -> dict[str, Any]:
    decided, answer = found.decided, case.answer
    claims = {each.claim: each for each in found.claims}
    return {
        "tx_id": decided.tx_id.hex(),
        "is_sound": found.is_sound,
        "is_replayed": claims["replay"].holds if "replay" in claims else None,
        "verdict": decided.verdict.name.lower(),
        "reasons": list(decided.reasons),
        "operator": to_text(decided.operator),
        "model": None if decided.model == in_force.NO_MODEL else decided.model.hex(),
        "policy": decided.policy.hex(),
        "decided_ms": decided.decided_ms,
        "answer": None
        if answer is None
        else {"answer": answer.answer, "by": answer.by, "time_ms": answer.time_ms},
        "payments": [
            {
                "payer": to_text(each.payer),
                "payee": to_text(each.payee),
                "asset": each.asset,
                "amount_minor": str(each.amount_minor),
            }
            for each in case.kept.payments
        ],
        "executed": _describe_executed(ledger.executed),
        "claims": [
            {"claim": each.claim, "holds": each.holds, "words": each.words} for each in found.claims
        ],
    }


def _describe_executed(executed: Executed | None) -> dict[str, Any] | None:
    if executed is None:
        return None
    height, index = split_position(executed.position)
    return {
        "height": height,
        "index": index,
        "time_ms": executed.time_ms,
        "attestation": executed.attestation.hex() if executed.attestation else None,
    }


def _describe_for_people(
    case: Case, ledger: Ledger, found: Examination, decimals: Decimals
) -> list[tuple[str, object]]:
    decided, answer, executed = found.decided, case.answer, ledger.executed
    told: list[tuple[str, object]] = [
        ("transaction", decided.tx_id.hex()),
        ("executed", "it is not on the ledger" if executed is None else _tell_place(executed)),
        ("payments", [_tell_payment(each, decimals) for each in case.kept.payments]),
        ("decided", f"{decided.verdict.name.lower()}, {format_iso(decided.decided_ms, 0)}"),
        ("reasons", list(decided.reasons)),
        ("by", _tell_basis(decided)),
    ]
    if answer is not None:
        told.append(("answer", f"{answer.answer} by {answer.by}, {format_iso(answer.time_ms, 0)}"))
    told += [(each.claim, f"{MARKS[each.holds]}  {each.words}".rstrip()) for each in found.claims]
    sound = "every claim that can be told holds" if found.is_sound else "at least one claim fails"
    return [*told, ("opening", sound)]


def _tell_place(executed: Executed) -> str:
    height, _ = split_position(executed.position)
    return f"in block {height}, {format_iso(executed.time_ms, 0)}"


def _tell_payment(payment: Any, decimals: Decimals) -> str:  # noqa: ANN401 - of an extra
    amount = tell_amount(payment.amount_minor, payment.asset, decimals)
    return f"{amount} from {to_text(payment.payer)} to {to_text(payment.payee)}"


def _tell_basis(decided: DecisionRecord) -> str:
    is_scored = decided.model != in_force.NO_MODEL
    model = f"model {decided.model.hex()}" if is_scored else "no model"
    return f"{model}, policy {decided.policy.hex()}"
