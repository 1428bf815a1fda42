"""`hansa demo` as a process: same seed, same day; served until it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from tests.conftest import HANSA
from tests.integration.small_disk import mount

from hansa.cli.main import main
from hansa.cli.run import DEMO_SIZES
from hansa.contracts import payments
from hansa.engine.record_items import find_envelope, list_envelopes
from hansa.kernel.block import decode_receipt
from hansa.kernel.transaction import decode_envelope
from hansa.node.demo.residents import draw_residents
from hansa.node.demo.town import PASSPHRASE, make_town
from hansa.node.home import Home, open_chain_read_only

SMALL = [
    "--people",
    "60",
    "--merchants",
    "10",
    "--payments",
    "300",
    "--loans",
    "0",
    "--crimes",
    "0",
]
LENDING = ["--loans", "60"]


def play(folder, *more):
    done = subprocess.run(
        [HANSA, "demo", "--no-serve", "--json", "--data", str(folder), *SMALL, *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """What a day printed that tests only read."""
    return play(tmp_path_factory.mktemp("demo") / "node", "--seed", "7", *LENDING)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """What a day printed on which operators decide."""
    return play(tmp_path_factory.mktemp("guarded") / "node", "--seed", "7", "--crimes", "8")


def test_the_same_seed_ends_in_the_same_money(day, tmp_path):
    first = day
    second = play(tmp_path / "7", "--seed", "7", *LENDING)
    other = play(tmp_path / "8", "--seed", "8")
    assert first["audit_ok"]
    assert second["data"] == str(tmp_path / "7")
    assert first["supply_ok"]
    assert first["confirmed"] > 300
    same = ("confirmed", "refused", "assets", "reconciliation")
    assert [first[name] for name in same] == [second[name] for name in same]
    assert first["assets"] != other["assets"]
    assert all(
        amount.isdigit() for totals in first["assets"].values() for amount in totals.values()
    )


def test_money_goes_all_its_ways(day):
    """Each kind of payment happens, and a hold is there before somebody takes it."""
    told, refused = set(), Counter()
    chain = open_chain_read_only(Home(Path(day["data"])))
    for record in chain.iterate_records(1):
        for raw, envelope in zip(record.receipts, list_envelopes(record), strict=True):
            receipt = decode_receipt(raw)
            told |= {name for contract, name, _ in receipt.events if contract == payments.NAME}
            if receipt.code:
                refused.update(call.command for call in decode_envelope(envelope)[1].calls)
    chain.close()
    assert told == {"Converted", "Transferred", "Held", "Posted", "Voided", "Refunded"}
    unknown = day["refused"].get("payments.UNKNOWN_PAYMENT", 0)
    assert refused["post"] + refused["void"] + refused["refund"] == unknown
    assert refused["post"] + refused["void"] <= refused["hold"]
    assert int(day["assets"]["MOP"]["held"]) > 0


def test_credentials_raise_wallets_and_one_is_lowered_again(day):
    """Who shows a credential rises, on one wallet; nothing else of it is on the ledger."""
    found = day["identity"]
    people, merchants = 60, 10
    assert found["issued"]["resident"] == people
    assert found["issued"]["business-licence"] == merchants
    assert found["raised"]["I"] == merchants
    assert 0 < found["raised"]["II"] + found["raised"]["III"] + found["not_raised"] < people
    assert found["lowered"] == 1
    assert day["refused"]["tiers.NULLIFIER_USED"] == 1
    told = Counter()
    chain = open_chain_read_only(Home(Path(day["data"])))
    for record in chain.iterate_records(1):
        for raw in record.receipts:
            told.update(
                name for contract, name, _ in decode_receipt(raw).events if contract == "tiers"
            )
    chain.close()
    assert told == {"Raised": sum(found["raised"].values()), "Lowered": 1}


def test_an_employer_finds_out_which_certificate_counts(day):
    found = {each["kind"]: each for each in day["identity"]["checked"]}
    assert found["accredited"]["is_accepted"]
    assert found["accredited"]["count"] > 1
    assert found["revoked"]["faults"] == ["certificate: the issuer has revoked it"]
    (fault,) = found["not accredited"]["faults"]
    assert "never accredited for training-certificate" in fault


def test_operators_stop_what_they_find_and_hide_what_they_found(guarded, monkeypatch, capsys):
    """Same seed, same decisions; on the ledger nothing but commitments of one length."""
    found = guarded["risk"]
    assert found["decided"] > 300
    assert set(found["planted"]) == {
        "deceived",
        "passed on",
        "sent around",
        "taken over",
        "to a listed wallet",
    }
    assert found["stopped"]["to a listed wallet"] == found["planted"]["to a listed wallet"]
    assert all(found["stopped"].get(crime, 0) <= count for crime, count in found["planted"].items())
    assert found["verdicts"]["allow"] > 0.9 * found["decided"]
    chain = open_chain_read_only(Home(Path(guarded["data"])))
    attested = Counter()
    for record in chain.iterate_records(1):
        for index in range(len(record.receipts)):
            _, sponsor, attestation = find_envelope(record, index)
            if attestation is not None:
                attested[sponsor] += 1
    chain.close()
    held = sum(found["verdicts"].values()) - found["verdicts"]["allow"]
    assert sum(attested.values()) >= found["decided"] - held
    assert len(attested) == 3
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    assert main(["risk", "open", found["example_tx"], "--data", guarded["data"], "--json"]) == 0
    opened = json.loads(capsys.readouterr().out)
    assert opened["is_sound"]
    assert opened["reasons"] == found["example_reasons"]


def test_banks_find_in_their_books_what_was_planted(day):
    """All faults and nothing else; a position is ended by the transaction that pays it."""
    found = day["reconciliation"]
    assert (found["pairs"], found["planted"], found["found"], found["wrong"]) == (3, 8, 8, 0)
    assert sum(found["breaks"].values()) == 8
    assert (found["healed"], found["case"]) == (2, "resolved")
    assert found["entries"] > 200
    paid = []
    chain = open_chain_read_only(Home(Path(day["data"])))
    for record in chain.iterate_records(1):
        for raw in record.receipts:
            names = [name for _, name, _ in decode_receipt(raw).events]
            paid += [names] if "Settled" in names else []
    chain.close()
    assert paid == [["VaultMoved", "Settled"]]
    assert int(found["settled_minor"]) > 0


def test_no_personal_data_is_in_the_nodes_folder(day):
    """Neither names and birth dates, nor the hashes of what they could be guessed by."""
    town = make_town(7, 60, 10)
    now = datetime.now(UTC).date()
    residents = list(draw_residents(town, now))
    wanted = set()
    for each in residents:
        claims = each.claims
        names = [claims.get(name, "") for name in ("legal_name", "licence_number", "birth_date")]
        for text in (*names, *claims["pairwise_subjects"].values()):
            if text:
                wanted |= {text.encode(), sha256(text.encode()).digest()}
    assert len(wanted) > 4 * len(residents)
    files = [path for path in Path(day["data"]).rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        raw = path.read_bytes()
        assert not [each for each in wanted if each in raw], path


def test_the_resident_who_is_to_pay_can_in_the_smallest_town(tmp_path):
    words = [word for name, _, least, *_ in DEMO_SIZES for word in (f"--{name}", str(least))]
    play(tmp_path / "node", *words)
    resident = Home(tmp_path / "node").load_key("resident", PASSPHRASE)
    show = [HANSA, "wallet", resident.address_text, "--json", "--data", str(tmp_path / "node")]
    done = subprocess.run(show, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    assert not found["is_frozen"], found


def test_a_receipt_file_is_verified_without_a_node(day, tmp_path):
    file = tmp_path / "receipt.bin"
    save = [HANSA, "receipt", "save", day["example_tx"], str(file)]
    subprocess.run([*save, "--data", day["data"]], check=True, timeout=60)
    check = [HANSA, "receipt", "verify", str(file), "--json"]
    good = subprocess.run(check, capture_output=True, check=True, timeout=60)
    assert json.loads(good.stdout)["tx_id"] == day["example_tx"]
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    bad = subprocess.run(check, capture_output=True, check=False, timeout=60)
    assert bad.returncode == 2
    assert not bad.stdout


def test_a_folder_in_use_is_not_overwritten(tmp_path):
    (tmp_path / "something").write_text("mine")
    done = subprocess.run(
        [HANSA, "demo", "--no-serve", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["something"]


@pytest.mark.parametrize(
    ("size_kb", "name"), [(4, "disk/new/node"), (40, "disk/new/node"), (250, "disk")]
)
def test_on_a_full_disk_it_leaves_nothing(tmp_path, size_kb, name):
    """Full at its keys, at the beginning of its chain, in the middle of its day."""
    with mount(tmp_path / "disk", size_kb):
        done = subprocess.run(
            [HANSA, "demo", "--no-serve", "--data", str(tmp_path / name), *SMALL],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stdout) == (5, ""), done.stderr
        assert "disk is full" in done.stderr or "No space left" in done.stderr
        assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.parametrize("name", ["mine", "new/node"])
def test_a_day_that_is_interrupted_leaves_nothing(tmp_path, name):
    (tmp_path / "mine").mkdir()
    ours, its = os.openpty()  # where it shows how far the day is
    words = [HANSA, "demo", "--data", str(tmp_path / name), "--port", "0", "--payments", "20000"]
    words += ["--loans", "0", "--crimes", "0"]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=its) as demo,
        os.fdopen(ours, "rb", buffering=0) as screen,
    ):
        os.close(its)
        assert "█" in screen.readline().decode()
        demo.send_signal(signal.SIGINT)
        shown = read_screen(screen)
        assert demo.wait(60) == 130, shown
        assert demo.stdout.read() == b""
    assert "nothing of it is left" in shown
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def read_screen(screen) -> str:
    """Read what a process shows until it ends."""
    shown = b""
    try:
        while more := screen.read(4_096):
            shown += more
    except OSError:  # how a terminal says that nobody writes any more
        pass
    return shown.decode()


def test_what_it_prints_can_be_pasted_where_hansa_is_not_on_the_path(tmp_path):
    program = Path(sys.executable).parent / "hansa"
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    (tmp_path / ".venv").symlink_to(program.parent.parent)
    words = ["demo", "--no-serve", "--data", "the node", *SMALL]
    called = tmp_path / ".venv/bin/hansa"
    done = subprocess.run(
        [called, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"  {called} ")]
    assert len(lines) == 4
    assert f"Data in {tmp_path / 'the node'};" in done.stdout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for line in (*lines, lines[2]):  # the receipt is saved once more
        subprocess.run(["/bin/sh", "-c", line], cwd=elsewhere, env=environment, check=True)


def wallet_of(pay):
    """Ask the node that a line of the summary names for its payee's free money."""
    show = [HANSA, "wallet", pay[-4], "--node", pay[-1], "--json"]
    done = subprocess.run(show, capture_output=True, check=True, timeout=60)
    return int(json.loads(done.stdout)["balances"][0]["available_minor"])


def check_council(node):
    """Proposals ended in every way; what was carried out is in force, the rest is not."""

    def show(what):
        command = [HANSA, "network", what, "--node", node, "--json"]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    states = [item["state"] for item in show("proposals")["proposals"]]
    accredited = ["executed"] * 3
    assert states == ["open", "passed", *accredited, "vetoed", "rejected", "executed"]
    entries = {item["name"]: item["entries"] for item in show("policy")["policy"]}
    assert entries["wallet.limits.4"][-1]["values"][-1] == "10000000"
    assert len(entries["payments.refund_days"]) == 1


def check_desks(lines, folder):
    """The desks open by their links, and the office issues under its DID on this ledger."""
    links = [word for line in lines for word in line.split() if "?token=" in word]
    shown = ("Identity Office issues", "Ask a wallet", "This wallet holds nothing yet")
    for link, text in zip(links, shown, strict=True):
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with opener.open(link, timeout=60) as page:
            assert text in page.read().decode()
    settings = tomllib.loads((folder / "office" / "issuer.toml").read_text())
    metadata = settings["url"] + "/.well-known/openid-credential-issuer"
    with urllib.request.urlopen(metadata, timeout=60) as answer:  # noqa: S310 - our own
        offered = json.load(answer)["credential_configurations_supported"]
    assert offered["resident"]["vct"] == "urn:hansa:demo:resident"
    node = settings["ledger"]["node"]
    lists = f"{node}/v1/identity/status-lists/{settings['did'].rpartition(':')[2]}/1"
    with urllib.request.urlopen(lists, timeout=60) as answer:  # noqa: S310 - our own
        assert answer.status == 200


def check_books(lines, address):
    """What is entered later is reconciled, too: by the lines to paste, and as the console shows."""
    pasted = [line.strip() for line in lines if " pair " in line]
    assert len(pasted) == 3
    added, closed = (
        subprocess.run(
            ["/bin/sh", "-c", f"{each} --json"], capture_output=True, check=False, timeout=90
        )
        for each in (pasted[0], pasted[2])
    )
    assert json.loads(added.stdout)["added"] == 1, added.stderr
    assert closed.returncode == 0, closed.stderr
    assert json.loads(closed.stdout)["windows_agreed"] == 3
    with urllib.request.urlopen(f"{address}reconciliation", timeout=60) as answer:  # noqa: S310
        page = answer.read().decode()
    assert all(name in page for name in ("River Bank", "Island Bank", "Meadow Bank"))


def test_it_serves_until_it_is_stopped(tmp_path):
    process = subprocess.Popen(
        [HANSA, "demo", "--data", str(tmp_path / "node"), "--port", "0", *SMALL, *LENDING],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        address = lines[-1].split()[2] + "v1/status"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own
            status = json.load(answer)
        assert status["network"] == "demo"
        assert status["height"] > 0
        check_council(lines[-1].split()[2])
        check_desks(lines, tmp_path / "node")
        check_books(lines, lines[-1].split()[2])
        pay = next(line.split() for line in lines if " pay " in line)
        before = wallet_of(pay)
        environment = {**os.environ, "HANSA_PASSPHRASE": "demo"}
        for amount, code in (("1.50", 0), ("9999999", 3), ("1.505", 2)):
            paid = [amount if word == "1.50" else word for word in pay[pay.index("pay") :]]
            done = subprocess.run(
                [HANSA, *paid, "--json"],
                env=environment,
                capture_output=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == code, done.stderr
        assert wallet_of(pay) == before + 150
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(timeout=60) == 0
