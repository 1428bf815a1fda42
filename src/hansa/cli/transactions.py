"""Transactions described for people and programs, from a folder, a node or an envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import IntEnum
from typing import Any

import msgspec

from hansa.contracts import governance
from hansa.contracts.actions import decode_action
from hansa.engine.record_items import find_envelope
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.block import decode_header, decode_receipt
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.transaction import Body, decode_envelope
from hansa.node.api.codes import describe_refusal
from hansa.node.api.handlers.accounts import describe_delta, iterate_deltas
from hansa.node.api.refusals import REFUSALS
from hansa.node.home import Home, open_chain_read_only
from hansa.sdk.answers import Transaction, TransactionResult
from hansa.sdk.arguments import COMMANDS, is_address


def describe_found(answer: TransactionResult | Transaction) -> dict[str, Any]:
    """Describe what a node answered, with the fields of `read_transaction`."""
    found: dict[str, Any] = msgspec.to_builtins(answer)
    if not isinstance(answer, Transaction):
        return {**found, **_explain(answer.code, {})}
    found["time"] = format_iso(found.pop("time_ms"), 0)
    found["attestation"] = answer.attestation or ""
    return {**found, **_explain(answer.code, answer.facts)}


def name_withheld(found: Mapping[str, Any]) -> dict[str, Any]:
    """Say, for people, of which balances a node does not tell the amount; in JSON they are null."""
    changes = [
        {name: "withheld" if value is None else value for name, value in change.items()}
        for change in found["changes"]
    ]
    return {**found, "changes": changes}


def _explain(code: str, facts: Mapping[str, object]) -> dict[str, str]:
    """Say in words, as the console does, why a rule refused; nothing where no rule did."""
    return {"meaning": describe_refusal(code, facts)} if code in REFUSALS else {}


def read_transaction(home: Home, tx_id: bytes) -> dict[str, Any]:
    """Read a transaction and its receipt from a data folder.

    Raises:
      NotFound: there is none with this id.
    """
    chain = open_chain_read_only(home)
    try:
        height, index = chain.find_position(tx_id)
        record = chain.get_record(height)
    finally:
        chain.close()
    envelope, sponsor, attestation = find_envelope(record, index)
    _, body = decode_envelope(envelope)
    receipt = decode_receipt(record.receipts[index])
    facts = dict(dict(record.facts).get(index, ()))
    time_ms = decode_header(record.header).time_ms
    return {
        "tx_id": tx_id.hex(),
        "status": receipt.status.name,
        "code": receipt.code,
        "height": height,
        "index": index,
        "facts": facts,
        "time": format_iso(time_ms, 0),
        "signers": [to_text(signer) for signer in body.signers],
        "sponsor": to_text(sponsor),
        "attestation": attestation.hex() if attestation else "",
        "calls": [f"{call.contract}.{call.command}" for call in body.calls],
        "events": [f"{contract}.{name}" for contract, name, _ in receipt.events],
        "changes": [
            msgspec.to_builtins(describe_delta(delta, is_readable=True))
            for delta in iterate_deltas(receipt)
        ],
        **_explain(receipt.code, facts),
    }


def describe_body(body: Body) -> dict[str, Any]:
    """Describe what signers agree to, every field of every call."""
    return {
        "valid_until": format_iso(body.valid_until_ms, 0),
        "signers": [to_text(signer) for signer in body.signers],
        "calls": [
            _describe_call(f"{call.contract}.{call.command}", bytes(call.arguments))
            for call in body.calls
        ],
    }


def _describe_call(name: str, raw: bytes) -> dict[str, Any]:
    """Describe one call by its fields; by their places if this program does not know it."""
    command = COMMANDS.get(name)
    if command is governance.Propose:
        with suppress(msgspec.MsgspecError, Refused):
            return {"call": name, **_describe_proposal(raw)}
    if command is not None:
        with suppress(msgspec.MsgspecError):
            known = msgspec.msgpack.decode(raw, type=command)
            if encode(known) == raw:  # it says nothing that its fields do not
                return {"call": name, **describe_fields(known)}
    values = msgspec.msgpack.decode(raw)
    return {"call": name} | {str(place): _show(value) for place, value in enumerate(values)}


def _describe_proposal(raw: bytes) -> dict[str, Any]:
    """Describe what is proposed by the names of its fields, for whoever signs it."""
    proposal = msgspec.msgpack.decode(raw, type=governance.Propose)
    fields = describe_fields(decode_action(proposal.action))
    action = {"kind": proposal.action.kind, "arguments": fields}
    return {"proposer": to_text(proposal.proposer), "action": action}


def describe_fields(
    value: msgspec.Struct, name_party: Callable[[bytes], str] = to_text
) -> dict[str, Any]:
    """Describe the fields of a command by their names, in the form in which JSON gives them.

    Args:
      value: the command.
      name_party: writes an address.
    """
    found = {}
    for name in value.__struct_fields__:
        found[name] = _show(getattr(value, name), name_party, name)
    if isinstance(value, AccountKey):
        found["purposes"] = [purpose.name for purpose in Purpose(value.purposes)]
    return found


def _show(
    value: Any,  # noqa: ANN401 - any argument
    name_party: Callable[[bytes], str] = to_text,
    name: str = "",
) -> Any:  # noqa: ANN401 - what JSON has
    if isinstance(value, bytes):
        return name_party(value) if is_address(name, value) else value.hex()
    if isinstance(value, msgspec.Struct):
        return describe_fields(value, name_party)
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, list | tuple):
        return [_show(item, name_party, name) for item in value]
    return value if isinstance(value, bool | str) or value is None else str(value)
