"""Commands against a running node and its folder: what they print, refuse, and never print."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from tests.played import CHEAP, PASSPHRASE, Forger, make_folder
from tests.running import run_fake, run_played, serve_records
from tests.world import ASSET, key

from hansa.cli.main import main
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.records import iterate_records, open_log
from hansa.node.service import wall_clock_ms
from hansa.sdk.keys import save_key

ADA, SHOP, BEN = (to_text(key(name).address) for name in ("ada", "shop", "ben"))
NORTH = to_text(key("north").address)
KEYS = ("ada", "ben", "north", "officer0", "officer1", "regulator")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_played(tmp_path_factory.mktemp("commands") / "node") as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in KEYS:
        save_key(folder / name, key(name), PASSPHRASE, cost=CHEAP)
    return folder


@pytest.fixture
def node(running, monkeypatch):
    """The environment of somebody who may read everything."""
    monkeypatch.setenv("HANSA_NODE", running.url)
    monkeypatch.setenv("HANSA_API_KEY", running.token)
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    return running


def run(capsys, *words, code=0):
    """Run a command; returns its JSON, or its one line of error."""
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    if out:
        return json.loads(out)
    assert err.count("\n") == 1
    return json.loads(err)


def pay(keys, amount="1.25", *more):
    return ("pay", keys / "ada", SHOP, amount, *more)


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_a_node_and_its_folder_check_alike(node, capsys, command):
    remote = run(capsys, command)
    local = run(capsys, command, "--data", node.home.path)
    assert remote[f"{command}_ok"]
    assert local[f"{command}_ok"]
    assert remote["genesis_hash"] == local["genesis_hash"]
    assert remote["height"] <= local["height"]
    assert remote["blocks"] > 5


def test_audit_and_verify_need_the_right_to_whole_blocks(node, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("HANSA_API_KEY")
    for command in ("audit", "verify"):
        assert "HANSA_API_KEY" in run(capsys, command, code=2)["message"]
    (tmp_path / "key").write_text(node.token + "\n")
    assert run(capsys, "audit", "--api-key-file", tmp_path / "key")["audit_ok"]
    own = {"name": "own", "role": Role.OPERATOR, "member": NORTH, "now_ms": wall_clock_ms()}
    monkeypatch.setenv("HANSA_API_KEY", add_key(node.home.api_keys_path, **own)[1])
    for command in ("audit", "verify"):
        told = run(capsys, command, code=3)["message"]
        assert "roles that have it are member, central_bank and regulator" in told
        assert "--data FOLDER" in told


@pytest.mark.parametrize(
    "words",
    [
        ("audit",),
        ("verify",),
        ("block", "1"),
        ("tx", "ab" * 32),
        ("wallet", ADA),
        ("receipt", "save", "ab" * 32, "never-written"),
    ],
)
def test_another_network_than_the_one_meant(node, capsys, words):
    for source in ((), ("--data", node.home.path)):
        found = run(capsys, *words, "--genesis", "00" * 32, *source, code=2)
        assert "another network" in found["message"]


def test_another_network_than_the_one_meant_is_asked_for_nothing_else(node, keys, capsys):
    lists = [("network", word) for word in ("members", "assets", "policy", "proposals")]
    for words in (*lists, ("network", "proposal", "1"), pay(keys)):
        found = run(capsys, *words, "--genesis", "00" * 32, code=2)
        assert "another network" in found["message"]


def test_a_transaction_a_block_a_wallet_and_a_receipt(node, keys, capsys, tmp_path):
    paid = run(capsys, *pay(keys))
    folder = ("--data", node.home.path)
    for source in ((), folder):
        found = run(capsys, "tx", paid["tx_id"], *source)
        assert (found["status"], found["calls"]) == ("OK", ["payments.transfer"])
        assert sorted(change["amount_minor"] for change in found["changes"]) == ["-125", "125"]
        block = run(capsys, "block", paid["height"], *source)
        assert block["transactions"] == [paid["tx_id"]]
        wallet = run(capsys, "wallet", ADA, *source)
        assert wallet["operator"] == NORTH
        file = tmp_path / f"receipt-{len(source)}"
        saved = run(capsys, "receipt", "save", paid["tx_id"], file, *source)
        assert saved["height"] == paid["height"]
        assert run(capsys, "receipt", "verify", file)["tx_id"] == paid["tx_id"]
        save = ("receipt", "save", paid["tx_id"], file, *source)
        assert run(capsys, *save) == saved, "the same once more is no error"
        file.write_bytes(b"mine")
        assert "exists already" in run(capsys, *save, code=2)["message"]
        assert file.read_bytes() == b"mine"
        file.unlink()
        run(capsys, *save)
        run(capsys, "tx", "ab" * 32, *source, code=4)
        run(capsys, "block", 10**9, *source, code=4)
        run(capsys, "wallet", to_text(bytes(32)), *source, code=4)
    for words in (("wallet", ADA), ("tx", paid["tx_id"]), ("block", paid["height"])):
        assert run(capsys, *words) == run(capsys, *words, *folder)
    assert (tmp_path / "receipt-0").read_bytes() == (tmp_path / "receipt-2").read_bytes()


def test_what_the_network_agreed_on(node, capsys):
    members = run(capsys, "network", "members")["members"]
    assert {"Bank", "north", "south", "Regulator"} == {member["name"] for member in members}
    assets = run(capsys, "network", "assets")["assets"]
    assert [asset["asset"] for asset in assets] == [ASSET]
    assert assets[0]["issued_minor"].isdigit()
    policy = {item["name"]: item for item in run(capsys, "network", "policy")["policy"]}
    assert policy["zone.offset_minutes"]["entries"][0]["values"] == ["480"]
    for word in ("members", "assets", "policy", "proposals"):
        assert main(["network", word]) == 0
    assert "issued" in capsys.readouterr().out


def test_node_and_folder_are_not_asked_for_together(node, capsys):
    found = run(capsys, "audit", "--node", node.url, "--data", node.home.path, code=2)
    assert "not allowed with" in found["message"]


# --- sending ------------------------------------------------------------------------------------


def test_exit_codes_of_a_payment(node, keys, capsys, monkeypatch):
    assert run(capsys, *pay(keys))["status"] == "OK"
    refused = run(capsys, *pay(keys, "9999999"), code=3)
    assert refused["code"] == "balances.INSUFFICIENT_FUNDS"
    assert refused["meaning"] == "The wallet held less than was to be spent."
    assert run(capsys, "tx", refused["tx_id"])["meaning"] == refused["meaning"]
    folder = ("--data", node.home.path)
    assert run(capsys, "tx", refused["tx_id"], *folder)["meaning"] == refused["meaning"]
    for amount in ("0", "-1", "1.234", "nan", "inf", "1e3", "", "٣", "1.", ".5", "0x1"):
        assert "no amount" in run(capsys, *pay(keys, amount), code=2)["message"]
    for amount in ("9" * 30, "9" * 5_000, "92233720368547758.08", "99999999999999999999999"):
        assert "is too large" in run(capsys, *pay(keys, amount), code=2)["message"]
    assert "at most 92233720368547758.07" in run(capsys, *pay(keys, "9" * 18), code=2)["message"]
    for amount in ("1,50", "-5", "0", "1."):
        told = run(capsys, *pay(keys, amount, "--node", "http://127.0.0.1:1"), code=2)["message"]
        assert told == f"{amount!r} is no amount: a positive number, as 12 or 12.50"
    run(capsys, "pay", keys / "ada", "hansa1nobody", "1", code=2)
    run(capsys, "pay", keys / "none", SHOP, "1", code=4)
    run(capsys, "pay", keys, SHOP, "1", code=2)
    run(capsys, *pay(keys, "1", "--id", ""), code=2)
    run(capsys, *pay(keys, "1", "--id", "x" * 36), code=2)
    run(capsys, *pay(keys, "1", "--asset", ""), code=2)
    run(capsys, *pay(keys, "1", "--id", "\udcff"), code=2)
    unknown = run(capsys, *pay(keys, "1", "--asset", "EUR"), code=4)["message"]
    assert unknown == f"there is no asset 'EUR': this network has {ASSET}"
    gone = run(capsys, *pay(keys, "1", "--node", "http://127.0.0.1:1"), code=5)["message"]
    assert "ssl" not in gone
    assert "nothing listens there" in gone
    run(capsys, *pay(keys, "1", "--node", "nonsense"), code=2)
    monkeypatch.setenv("HANSA_PASSPHRASE", "wrong")
    assert "wrong passphrase" in run(capsys, *pay(keys), code=2)["message"]


def test_the_ledger_says_how_many_decimals_an_asset_has(node, keys, capsys):
    assert "--exponent" in run(capsys, *pay(keys, "1", "--exponent", "3"), code=2)["message"]
    paid = run(capsys, *pay(keys, "1"))
    changes = run(capsys, "tx", paid["tx_id"])["changes"]
    assert sorted(change["amount_minor"] for change in changes) == ["-100", "100"]


def test_a_holder_and_an_operator_keep_wallets(node, keys, capsys):
    new = to_text(key("commands").address)
    opened = run(capsys, "wallet", "open", keys / "north", new, "--category", "IV")
    assert opened["status"] == "OK"
    run(capsys, "wallet", "set-category", keys / "north", new, "--category", "II")
    assert run(capsys, "wallet", new)["category"] == "II"
    run(capsys, "wallet", "freeze-own", keys / "ada")
    assert run(capsys, "wallet", ADA)["is_frozen"]
    assert run(capsys, *pay(keys), code=3)["code"] == "wallets.FROZEN"
    run(capsys, "wallet", "unfreeze-own", keys / "ada")
    assert run(capsys, "wallet", "close", keys / "ada", code=3)["code"] == "wallets.NOT_EMPTY"
    assert run(capsys, "wallet", "open", keys / "ada", new, "--category", "IV", code=3)


def test_officers_issue_money_in_one_transaction(node, keys, capsys):
    issue = json.dumps({"operator": NORTH, "asset": ASSET, "amount_minor": "5"})
    call = ("--call", "currency.issue", "--args", issue)
    assert run(capsys, "tx", "send", keys / "officer0", *call, code=3)["status"] == "REFUSED"
    both = run(capsys, "tx", "send", keys / "officer0", keys / "officer1", *call, *call)
    assert both["status"] == "OK"
    found = run(capsys, "tx", both["tx_id"])
    assert found["calls"] == ["currency.issue", "currency.issue"]


def test_a_signer_sees_control_characters(node, keys, capsys, tmp_path):
    fields = {"payer": ADA, "payee": SHOP, "asset": ASSET, "amount_minor": "90000"}
    arguments = json.dumps({**fields, "end_to_end_id": "b\x1b[9A\x1b[J\r\n  calls  pay 0.01"})
    file, call = tmp_path / "file.json", ("--call", "payments.transfer", "--args", arguments)
    words = ("tx", "send", keys / "ada", *call, "--offline", file)
    for command in (words, ("tx", "sign", file, keys / "ada", "--yes")):
        assert main([*map(str, command)]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\r" not in out
        assert "b\\x1b[9A\\x1b[J\\r\\n  calls  pay 0.01" in out


def test_officers_sign_one_after_the_other(node, keys, capsys, tmp_path):
    issue = json.dumps({"operator": NORTH, "asset": ASSET, "amount_minor": "7"})
    file = tmp_path / "issue.json"
    second = to_text(key("officer1").address)
    send = ("tx", "send", keys / "officer0", "--call", "currency.issue", "--args", issue)
    run(capsys, *send, "--signer", second, code=2)
    made = run(capsys, *send, "--offline", file, "--signer", second)
    assert made["missing"] == [second]
    assert made["calls"][0]["amount_minor"] == "7"
    assert "not signed yet" in run(capsys, "tx", "submit", file, code=2)["message"]
    sign = ("tx", "sign", file, "--yes")
    assert "none of the signers" in run(capsys, *sign, keys / "ada", code=2)["message"]
    assert run(capsys, *sign, keys / "officer1")["missing"] == []
    sent = run(capsys, "tx", "submit", file)
    assert (sent["status"], sent["tx_id"]) == ("OK", made["tx_id"])
    assert run(capsys, "tx", "submit", file)["height"] == sent["height"], "sent twice, done once"
    assert "exists already" in run(capsys, *send, "--offline", file, code=2)["message"]


def test_a_proposal_from_the_command_line(node, keys, capsys):
    action = {
        "kind": "set_policy",
        "arguments": {
            "key": "payments.refund_days",
            "effective_ms": "4000000000000",
            "values": ["30"],
        },
    }
    bank = to_text(key("officer0").address)
    arguments = json.dumps({"proposer": bank, "action": action})
    send = ("tx", "send", keys / "officer0", keys / "officer1")
    made = run(capsys, *send, "--call", "governance.propose", "--args", arguments)
    assert made["status"] == "OK"
    proposal = run(capsys, "network", "proposals")["proposals"][0]
    assert (proposal["kind"], proposal["group"]) == ("set_policy", "policy")
    assert run(capsys, "network", "proposal", proposal["number"])["proposer"] == bank
    assert main(["network", "proposal", str(proposal["number"])]) == 0
    assert "Set the policy payments.refund_days from 2096-10-02" in capsys.readouterr().out
    run(capsys, "network", "proposal", 999, code=4)
    file, number = keys / "execute.json", json.dumps({"number": str(proposal["number"])})
    execute = ("--call", "governance.execute", "--args", number)
    run(capsys, "tx", "send", keys / "ada", *execute, "--offline", file)
    locked = run(capsys, "tx", "submit", file, code=3)
    assert locked["code"] == "governance.LOCKED"
    assert "it ends at 2" in locked["meaning"]
    assert main(["tx", "submit", str(file)]) == 3
    assert "counts once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("payments.transfer", "{}", "payer: is missing"),
        ("payments.transfer", "[]", "must be an object"),
        ("payments.transfer", "nope", "no JSON"),
        ("payments.transfer", "", "no JSON"),
        ("payments.transfer", '{"amount_minor": NaN}', "no JSON"),
        ("payments.steal", "{}", "there is no command"),
        ("", "{}", "there is no command"),
    ],
)
def test_arguments_are_checked_before_anything_is_signed(
    node, keys, capsys, call, arguments, words
):
    found = run(capsys, "tx", "send", keys / "ada", "--call", call, "--args", arguments, code=2)
    assert words in found["message"]


def test_what_else_a_transaction_may_lack(node, keys, capsys):
    freeze = ("--call", "wallets.self_freeze", "--args", json.dumps({"wallet": BEN}))
    assert (
        "2 --call but 1"
        in run(capsys, "tx", "send", keys / "ben", "--call", "x", *freeze, code=2)["message"]
    )
    for seconds in (0, 901, 10**12):
        assert (
            "seconds"
            in run(capsys, "tx", "send", keys / "ben", *freeze, "--validity", seconds, code=2)[
                "message"
            ]
        )
    run(capsys, "tx", "submit", keys / "none", code=4)
    run(capsys, "tx", "submit", keys, code=2)
    run(capsys, "tx", "submit", keys / "ben", code=2)


def test_what_can_be_called_is_listed(capsys):
    found = run(capsys, "tx", "commands")
    assert "amount_minor" in found["payments.transfer"]
    assert "action admit_member" in found
    assert "address" in run(capsys, "tx", "commands", "payments.transfer")["payer"]
    assert "roles" in run(capsys, "tx", "commands", "admit_member")
    run(capsys, "tx", "commands", "payments.steal", code=2)


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("audit", "--data", "{none}"), 4),
        (("verify", "--data", "{none}"), 4),
        (("block", "0", "--data", "{none}"), 4),
        (("tx", "ab" * 32, "--data", "{none}"), 4),
        (("wallet", ADA, "--data", "{none}"), 4),
        (("audit", "--data", "{file}"), 2),
        (("demo", "--no-serve", "--data", "{file}"), 2),
        (("restore", "x" * 5_000, "--data", "{none}"), 5),
        (("audit", "--data", "x" * 5_000), 5),
        (("block", "0", "--data", "{rubbish}"), 2),
        (("audit", "--data", "{rubbish}"), 2),
        (("up", "--data", "{none}"), 4),
        (("up", "--data", "{rubbish}"), 2),
        (("receipt", "verify", "{none}"), 4),
        (("receipt", "verify", "{folder}"), 2),
        (("receipt", "verify", "{pipe}"), 2),
        (("receipt", "verify", "{file}"), 2),
        (("tx", "submit", "{pipe}"), 2),
        (("key", "show", "{pipe}"), 2),
        (("audit", "--api-key-file", "{pipe}"), 2),
        (("init", "--data", "{none}", "--spec", "{pipe}"), 2),
        (("receipt", "verify", "{file}", "--genesis", "xyz"), 2),
        (("receipt", "save", "zz", "{none}"), 2),
        (("tx", "zz"), 2),
        (("tx", ""), 2),
        (("wallet", "x" * 64), 2),
        (("wallet", ""), 2),
        (("key", "show", "{file}"), 2),
        (("key", "show", "{none}"), 4),
        (("key", "new", "{none}/below"), 4),
        (("audit", "--api-key-file", "{none}"), 4),
        (("audit", "--api-key-file", "{folder}"), 2),
        (("audit", "--api-key-file", "{file}"), 2),
        (("audit", "--ca", "{none}", "--node", "https://127.0.0.1:1"), 4),
        (("audit", "--ca", "{file}", "--node", "https://127.0.0.1:1"), 2),
        (("audit", "--certificate-key", "{file}"), 2),
        (("audit", "--genesis", "nan"), 2),
        (("key", "api", "new", "\udcff", "--role", "customer", "--data", "{none}"), 2),
        (("doctor", "--data", "{none}"), 1),
        (("doctor", "--data", "{file}"), 1),
        (("doctor", "--data", "{rubbish}"), 1),
    ],
)
def test_bad_input_ends_in_one_line_and_its_exit_code(tmp_path, capsys, monkeypatch, words, code):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("HANSA_NODE", "http://127.0.0.1:1")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "file").write_bytes(b"\xff\x00 rubbish")
    (tmp_path / "file").chmod(0o600)
    (tmp_path / "rubbish").mkdir()
    (tmp_path / "rubbish" / "genesis.bin").write_bytes(os.urandom(200))
    places = {name: tmp_path / name for name in ("none", "file", "folder", "rubbish", "pipe")}
    assert main([word.format_map(places) if "{" in word else word for word in words]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err + out
    assert code == 1 or (err.startswith("hansa: ") and err.count("\n") == 1)


def test_a_number_that_is_too_large_is_told_its_bound(capsys):
    for text in ("9" * 20, str(2**53 + 1)):
        found = run(capsys, "block", text, "--data", "none", code=2)
        assert f"from 0 to {2**53}" in found["message"]


def test_a_node_in_the_way(node, capsys, tmp_path):
    """What a folder in use or a taken port says."""
    found = run(capsys, "up", "--data", node.home.path, "--port", "0", code=5)
    assert "in use by process" in found["message"]
    copy = tmp_path / "copy"
    shutil.copytree(node.home.path, copy)
    port = node.url.rpartition(":")[2]
    assert (
        f"port {port} is in use"
        in run(capsys, "up", "--data", copy, "--port", port, code=5)["message"]
    )
    (copy / "node.toml").write_text("[listen]\nport = 'x'\n")
    assert "node.toml" in run(capsys, "up", "--data", copy, code=2)["message"]


# --- a node that lies ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forger(tmp_path_factory):
    home = make_folder(tmp_path_factory.mktemp("liar") / "node")
    reader = open_log(home.log_path)
    try:
        return Forger(home.load_network(), list(iterate_records(reader)))
    finally:
        reader.close()


def double_a_balance(fields):
    """Change the first event that moves money, in a receipt's fields."""
    for event in fields[4]:
        for delta in event[2][0]:
            delta[4] *= 2
            return True
    return False


def test_audit_and_verify_believe_no_node(forger, capsys):
    with run_fake(*serve_records(forger.network, forger.records)) as url:
        assert run(capsys, "audit", "--node", url)["audit_ok"]
        assert run(capsys, "verify", "--node", url)["verify_ok"]
    liar = Forger(forger.network, list(forger.records))
    height = liar.change_receipt(double_a_balance)
    with run_fake(*serve_records(liar.network, liar.records)) as url:
        audited = run(capsys, "audit", "--node", url, code=1)
        assert not audited["audit_ok"]
        verified = run(capsys, "verify", "--node", url, code=1)
        assert (verified["verify_ok"], verified["differs_at"]) == (False, height)
    broken = [*forger.records[:3], b"rubbish"]
    with run_fake(*serve_records(forger.network, broken)) as url:
        for command in ("audit", "verify"):
            assert run(capsys, command, "--node", url, code=70)["height"] == 3


def test_a_passphrase_is_no_api_key(node, keys, capsys, monkeypatch):
    """Only what the API answers is mended by showing it who asks."""
    monkeypatch.delenv("HANSA_API_KEY")
    asked = run(capsys, "audit", code=2)
    assert "--api-key-file" in asked["message"]
    monkeypatch.setenv("HANSA_PASSPHRASE", "wrong")
    found = run(capsys, *pay(keys), code=2)
    assert "wrong passphrase" in found["message"]
    assert "api-key" not in found["message"]


def test_a_file_that_proves_nothing_is_named(node, keys, capsys, tmp_path):
    file = tmp_path / "receipt"
    paid = run(capsys, *pay(keys, "0.03"))
    run(capsys, "receipt", "save", paid["tx_id"], file)
    raw = bytearray(file.read_bytes())
    at = raw.index(b"payments")
    for place in (at, 20):  # the transaction, the genesis
        changed = raw.copy()
        changed[place] ^= 1
        file.write_bytes(changed)
        message = run(capsys, "receipt", "verify", file, code=2)["message"]
        assert str(file) in message
        assert "sign the exact bytes" not in message


def test_a_damaged_genesis_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    file = tmp_path / "genesis.bin"
    file.write_bytes(b"rubbish")
    join = ("--genesis", file, "--node-key", file, "--sponsor-key", file)
    for words in (("audit", "--data", tmp_path), ("init", "--data", tmp_path / "new", *join)):
        assert str(file) in run(capsys, *words, code=2)["message"]
