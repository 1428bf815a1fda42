"""Vectors of payments that are none: each fault on real contracts, and the code that names it."""

from __future__ import annotations

from tests.world import ASSET, key

from hansa.kernel.encoding import encode

NAMES = ("ann", "bob", "shop", "nobody", "north", "south", "officer0", "officer1")
INT64_MAX = 2**63 - 1
HOLD_MS = 1_700_003_600_000
HELD = {"ann": [100_000, 0], "bob": [100_000, 0], "shop": [100_000, 0]}


def _address(name: str) -> bytes:
    return key(name).address


def _pay(
    amount=5, *, payer="ann", payee="shop", asset=ASSET, reference="1", fields=5, word="transfer"
) -> list:
    values = [_address(payer), _address(payee), asset, amount, reference, HOLD_MS]
    return ["payments", word, encode(values[:fields])]


def _raw(word: str, amount: bytes) -> list:
    """A transfer whose amount is these bytes, whatever they are."""
    whole = encode([_address("ann"), _address("shop"), ASSET, 5, "1"])
    at = whole.index(b"\xa3" + ASSET.encode()) + 1 + len(ASSET)
    return ["payments", word, whole[:at] + amount + whole[at + 1 :]]


def _case(name: str, calls: list, code: str, signers=("ann",)) -> dict:
    shown = [[contract, word, arguments.hex()] for contract, word, arguments in calls]
    return {"name": name, "input": {"signers": list(signers), "calls": shown}, "code": code}


def _list_amounts() -> list[dict]:
    amounts = {
        "zero": (0, "AMOUNT"),
        "negative": (-1, "AMOUNT"),
        "as negative as can be": (-(2**63), "AMOUNT"),
        "2^63": (INT64_MAX + 1, "AMOUNT"),
        "2^64 - 1": (2**64 - 1, "AMOUNT"),
        "text": ("5", "AMOUNT"),
        "text with a fraction": ("5.00", "AMOUNT"),
        "nil": (None, "AMOUNT"),
        "true": (True, "AMOUNT"),
        "bytes": (b"5", "AMOUNT"),
        "an array": ([5], "AMOUNT"),
        "2^63 - 1, more than there is": (INT64_MAX, "balances.INSUFFICIENT_FUNDS"),
        "a cent more than there is": (100_001, "balances.INSUFFICIENT_FUNDS"),
    }
    cases = [
        _case(f"an amount that is {name}", [_pay(amount)], code)
        for name, (amount, code) in amounts.items()
    ]
    raws = {
        "a float": (b"\xcb\x40\x14" + bytes(6), "MALFORMED"),
        "a fraction": (b"\xcb\x3f\xf8" + bytes(6), "MALFORMED"),
        "a float of 32 bits": (b"\xca\x40\xa0\x00\x00", "MALFORMED"),
        "infinite": (b"\xcb\x7f\xf0" + bytes(6), "MALFORMED"),
        "a map": (b"\x80", "MALFORMED"),
        "wider than it need be": (b"\xcc\x05", "NOT_CANONICAL"),
    }
    cases += [
        _case(f"an amount that is {name}", [_raw("transfer", raw)], code)
        for name, (raw, code) in raws.items()
    ]
    others = {
        "a hold of zero": _pay(0, word="hold", fields=6),
        "a cash-out of zero": ["payments", "cash_out", encode([_address("ann"), ASSET, 0, "1"])],
        "a cash-out below zero": [
            "payments",
            "cash_out",
            encode([_address("ann"), ASSET, -5, "1"]),
        ],
        "a refund of zero": ["payments", "refund", encode([_address("ann"), "1", 0, "2"])],
    }
    return cases + [_case(name, [call], "AMOUNT") for name, call in others.items()]


def _list_payments() -> list[dict]:
    short = ["payments", "transfer", encode([bytes(31), _address("shop"), ASSET, 5, "1"])]
    return [
        _case("a payment to oneself", [_pay(payee="ann")], "payments.SAME_WALLET"),
        _case("to a wallet that is none", [_pay(payee="nobody")], "wallets.UNKNOWN_WALLET"),
        _case(
            "from a wallet that is none",
            [_pay(payer="nobody")],
            "wallets.UNKNOWN_WALLET",
            signers=("nobody",),
        ),
        _case("from another's wallet", [_pay(payer="bob")], "kernel.NOT_AUTHORIZED"),
        _case("of an asset that is none", [_pay(asset="ABC")], "balances.INSUFFICIENT_FUNDS"),
        _case("an id twice", [_pay(), _pay(6)], "payments.ID_USED"),
        _case(
            "good, then too much",
            [_pay(), _pay(10**9, reference="2")],
            "balances.INSUFFICIENT_FUNDS",
        ),
        _case("no reference", [_pay(reference="")], "ARGUMENTS"),
        _case("a reference of 36 letters", [_pay(reference="x" * 36)], "ARGUMENTS"),
        _case("an asset without a name", [_pay(asset="")], "ARGUMENTS"),
        _case("an address of 31 bytes", [short], "ARGUMENTS"),
        _case("a field left out", [_pay(fields=4)], "ARGUMENTS"),
        _case("a field left out behind a zero", [_pay(0, fields=4)], "ARGUMENTS"),
        _case("a field too many behind a zero", [_pay(0, fields=6)], "AMOUNT"),
        _case("a field too many", [_pay(fields=6)], "ARGUMENTS"),
        _case(
            "a bad amount behind a bad address",
            [[*short[:2], encode([b"", b"", "", 0, ""])]],
            "ARGUMENTS",
        ),
        _case(
            "an unknown contract", [["nothing", "transfer", encode([])]], "kernel.UNKNOWN_COMMAND"
        ),
        _case("an unknown command", [["payments", "give", encode([])]], "kernel.UNKNOWN_COMMAND"),
        _case(
            "a contract named with its version",
            [["payments/1", "transfer", encode([])]],
            "kernel.UNKNOWN_COMMAND",
        ),
        _case(
            "good, then an unknown contract",
            [_pay(), ["nothing", "x", encode([])]],
            "kernel.UNKNOWN_COMMAND",
        ),
        _case(
            "a hold's end that is past",
            [["payments", "hold", encode([_address("ann"), _address("shop"), ASSET, 5, "1", 5])]],
            "payments.WRONG_EXPIRY",
        ),
    ]


def _list_issuance() -> list[dict]:
    north, south = _address("north"), _address("south")
    officers = ("officer0", "officer1")

    def issue(amount: int) -> list:
        return ["currency", "issue", encode([north, ASSET, amount])]

    move = ["currency", "move_vault", encode([north, north, ASSET, 5])]
    too_much = ["currency", "move_vault", encode([north, south, ASSET, 10**12])]
    return [
        _case("issuing nothing", [issue(0)], "AMOUNT", officers),
        _case("issuing with one officer", [issue(5)], "kernel.NOT_AUTHORIZED", officers[:1]),
        _case("issuing as an operator", [issue(5)], "kernel.NOT_AUTHORIZED", ("north",)),
        _case("issuing over the quota", [issue(INT64_MAX)], "currency.OVER_QUOTA", officers),
        _case("a vault to itself", [move], "currency.SAME_VAULT", ("north",)),
        _case("more than the vault holds", [too_much], "currency.INSUFFICIENT_VAULT", ("north",)),
    ]


def make_money() -> dict:
    """All cases on one network; before each, everybody has 1,000.00."""
    addresses = {name: _address(name).hex() for name in NAMES}
    return {
        "pre": {"addresses": addresses, "balances": HELD, "asset": ASSET},
        "cases": [*_list_amounts(), *_list_payments(), *_list_issuance()],
    }
