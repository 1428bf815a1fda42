"""What the demo tells at the end: real figures, and what to try next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hansa.node.demo.desks import DeskLink
from hansa.node.demo.offices import IdentityReport
from hansa.node.demo.run import DemoReport, LendingReport, RiskReport
from hansa.node.demo.town import PASSPHRASE, VISITOR, Town
from hansa.program import name_program


class OpenBooks(NamedTuple):
    """Books of today that somebody may close."""

    agreement: str
    entries: Path
    """A table of what is still to be entered."""
    columns: Path
    """Says what its columns mean."""
    before: str
    """The date of tomorrow."""
    key: str
    """An API key of the bank whose books they are."""


class Served(NamedTuple):
    """What a node that serves leaves to somebody; of one that does not, nothing."""

    address: str = ""
    books: OpenBooks | None = None
    """Of a bank that still has to enter something today."""
    risk_key: str = ""
    """An API key of the operator whose risk desk it has."""


def summarise(
    report: DemoReport, town: Town, folder: Path, links: Sequence[DeskLink], served: Served
) -> list[str]:
    """Say in lines what a day came to, and what can be tried next.

    Args:
      report: of the day.
      town: whose day it was.
      folder: absolute: the commands work from anywhere.
      links: that open the desks.
      served: what the node leaves to somebody.
    """
    address = served.address
    money = [
        f"  {asset}: issued {_format(totals['issued'])} = vaults {_format(totals['vault'])} + "
        f"wallets {_format(totals['wallet'])} + held {_format(totals['held'])}"
        for asset, totals in report.assets.items()
    ]
    refused = [f"  {count:>7,}  {code}" for code, count in sorted(report.refused.items())]
    lines = [
        (
            f"The day is over: {report.confirmed:,} transactions confirmed in "
            f"{report.seconds:.1f} s, "
            f"{sum(report.refused.values()):,} refused, {report.height} blocks."
        ),
        *money,
        "Refused by rule:",
        *refused,
        (
            f"Audit from receipts: {'passed' if report.audit_ok else 'FAILED'}. "
            f"Supply: {'proved' if report.supply_ok else 'WRONG'}."
        ),
        *_tell_identity(report.identity),
        *(_tell_lending(report.lending) + _tell_risk(report.risk)),
        "",
        "Next, in another terminal:" if address else "Next:",
        *_list_commands(report, town, folder, served),
        "",
        *_tell_books(served.books, address),
        *_tell_desks(town, folder, links),
        f"Data in {folder}; nobody removes it but you.",
    ]
    if address:
        lines += [f"Console at {address}/ and API under /v1. Ctrl-C ends it."]
    return lines


def _tell_identity(report: IdentityReport) -> list[str]:
    issued = ", ".join(f"{count:,} {name}" for name, count in sorted(report.issued.items()))
    raised = ", ".join(f"{count:,} to {name}" for name, count in sorted(report.raised.items()))
    lines = [
        f"Credentials issued: {issued}.",
        (
            f"Wallets raised by showing one: {raised}; {report.not_raised:,} were too young, "
            f"{report.lowered:,} lowered again: the credential was revoked."
        ),
        "Training certificates, as an employer found them:",
    ]
    for each in report.checked:
        found = "accepted" if each["is_accepted"] else f"refused: {'; '.join(each['faults'])}"
        lines.append(f"  {each['count']:>7,}  {each['kind']}: {found}")
    return lines


def _tell_lending(report: LendingReport) -> list[str]:
    if not report.loans:
        return []
    settled = (
        f"signed by both, and ended by the transaction that paid {_format(report.settled_minor)}"
        if report.settled_minor
        else "signed by both, but the vault of who owes it held too little to pay it"
    )
    return [
        (
            f"{report.loans:,} loans of Harbour Bank and {report.pairs} partners, 20 to 80: "
            f"{report.entries:,} entries in their books of three days. "
            f"The two that are over came to {report.matched:,} matches."
        ),
        (
            f"Planted faults: {report.planted}; found by reconciling: {report.found}, "
            f"and {report.wrong} that are none. By class:"
        ),
        *(f"  {count:>7,}  {name}" for name, count in sorted(report.breaks.items())),
        (
            f"Matched by a later entry: {report.healed}, of which four officers had agreed on one "
            f"in a case ({report.case})."
        ),
        f"A net position with River Bank was {settled}.",
    ]


def _tell_risk(report: RiskReport) -> list[str]:
    if not report.verdicts:
        return []
    asked = sum(report.verdicts.get(name, 0) for name in ("step_up", "review"))
    lines = [
        (
            f"Three operators decided on {sum(report.verdicts.values()):,} payments by the model, "
            f"rules and lists that ship: {asked} were asked about, {report.sound_asked} of them "
            f"sound and then paid; {report.verdicts.get('block', 0)} were blocked, and "
            f"{report.sound_stopped} that were sound not paid."
        ),
        "Payments of crimes, and how many of them were not paid:",
        *(
            f"  {count:>7,}  {crime}: {report.stopped.get(crime, 0)} stopped"
            for crime, count in sorted(report.planted.items())
        ),
    ]
    if report.example_tx:
        reasons = ", ".join(report.example_reasons)
        lines.append(f"One of them, {report.example_tx[:16]}…, for {reasons}.")
    return lines


def _tell_books(books: OpenBooks | None, address: str) -> list[str]:
    if books is None:
        return []
    begun = f"  HANSA_API_KEY={books.key} {name_program()} pair"
    entries, columns = shlex.quote(str(books.entries)), shlex.quote(str(books.columns))
    return [
        "Harbour Bank has still to enter one of today's loans of River Bank's. Enter it, see it",
        f"match, and close the day; {address}/reconciliation shows all pairs, breaks and cases:",
        f"{begun} add {books.agreement} {entries} --map {columns} --node {address}",
        f"{begun} show {books.agreement} --windows 1 --node {address}",
        f"{begun} complete {books.agreement} --before {books.before} --wait 30 --node {address}",
        "",
    ]


def _tell_desks(town: Town, folder: Path, links: Sequence[DeskLink]) -> list[str]:
    if not links:
        return []
    width = max(len(each.owner) for each in links)
    return [
        "In a browser (each link opens one, once): offer a credential at the first desk, take it",
        "into the wallet, ask for it at the second, show it, revoke it, and ask again.",
        *(f"  {each.owner:{width}}  {each.url}" for each in links),
        "The resident's wallet of money rises when this request is shown to that wallet:",
        (
            f"  HANSA_PASSPHRASE={PASSPHRASE} {name_program()} id tier ask "
            f"{town.people[VISITOR].address_text} --category III "
            f"--data {shlex.quote(str(folder / 'operator'))}"
        ),
        "",
    ]


def _list_commands(report: DemoReport, town: Town, data: Path, served: Served) -> list[str]:
    """List commands that a shell takes as they are; only a node that serves can be paid through."""
    hansa, folder, address = name_program(), shlex.quote(str(data)), served.address
    tx, shop = report.example_tx, town.merchants[1].address_text
    receipt = f"receipt-{tx[:8]}.bin"
    pay = (
        f"  HANSA_PASSPHRASE={PASSPHRASE} {hansa} pay {folder}/keys/resident.json {shop} 1.50"
        f" --node {address}"
    )
    return [
        *([pay] if address else []),
        f"  {hansa} tx {tx} --data {folder}",
        f"  {hansa} block {report.height} --data {folder}",
        (
            f"  {hansa} receipt save {tx} {receipt} --data {folder} && "
            f"{hansa} receipt verify {receipt}"
        ),
        f"  {hansa} audit --data {folder}",
        *_explain_stopped(report.risk.example_tx, folder, served),
    ]


def _explain_stopped(tx_id: str, folder: str, served: Served) -> list[str]:
    """Write the command that shows why a payment was stopped; a node that runs has the file open.

    Args:
      tx_id: of the payment; empty if none was stopped.
      folder: quoted.
      served: what the node leaves to somebody.
    """
    if not tx_id:
        return []
    word = f"{name_program()} risk"
    if not served.address:
        return [f"  HANSA_PASSPHRASE={PASSPHRASE} {word} open {tx_id} --data {folder}"]
    key = f"HANSA_API_KEY={served.risk_key}"
    return [f"  {key} {word} decision {tx_id} --node {served.address}"]


def _format(minor: int) -> str:
    return f"{minor // 100:,}.{minor % 100:02d}"
