"""What `hansa doctor` says of the risk folder of a node that decides."""

from __future__ import annotations

import os

import pytest
from tests.deciding_desk import NORTH, Bank
from tests.listed import write_customers
from tests.modelled import write_small
from tests.played import CHEAP, PASSPHRASE

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.encrypted_file import EncryptedFile
from hansa.kernel.machine.state import Reader
from hansa.node.doctor.checks import Patient, Status, ThisMachine
from hansa.node.doctor.deciding import check_risk, compare_in_force, find_lost
from hansa.node.home import Home
from hansa.node.risk.clerk.format import FORM
from hansa.node.risk.loading import RiskFolder
from hansa.node.risk.registry import MODELS, Registry
from hansa.node.risk.screening import screen_folder
from hansa.node.settings import Risk, Settings
from hansa.risk.decisions.policy import Screening as Thresholds
from hansa.risk.intake.describing import FEATURES

WARN = Status.WARN


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.risk_path.mkdir()
    return home


def look(home, passphrase=None, *, decides=True, pid=None):
    """Return what is not well."""
    patient = Patient(home, ThisMachine(), passphrase, None, None)
    patient.settings, patient.pid = Settings(risk=Risk(decides=decides)), pid
    sick = [each for each in check_risk(patient) if each.status is not Status.OK]
    assert all(each.mend for each in sick), "it says what to do"
    return sick


def test_what_a_node_needs_that_is_set_to_decide(home):
    assert look(home, decides=False) == []
    (check,) = look(home)
    assert (check.status, "policy.toml" in check.found) == (Status.FAIL, True)
    (home.risk_path / "policy.toml").write_text("version = 1\n")
    (check,) = look(home)
    assert (check.status, "no model decides" in check.found) == (Status.WARN, True)
    registry = Registry(home.risk_path / MODELS, FEATURES)
    model = registry.add(write_small(FEATURES), "small").manifest.model_id.hex()
    registry.promote(model)
    assert look(home) == [], "the file of decisions is made at its start"
    (home.risk_path / MODELS / f"{model}.model").write_bytes(b"none")
    (check,) = look(home)
    assert (check.status, model in check.found) == (Status.WARN, True)
    (home.risk_path / "rules.toml").write_text("name = 1")
    (check,) = look(home)
    assert (check.status, "rules.toml" in check.found) == (Status.FAIL, True)


def test_old_lists_and_customers_who_are_not_screened_are_told(home):
    (home.risk_path / "policy.toml").write_text("version = 1\n")
    write_customers(home.risk_path)
    lists = home.risk_path / "sanctions"

    def tell():
        return [each.found for each in look(home) if each.name == "risk screening"]

    assert tell() == [
        "the sanctions lists are of 0 days ago; 3 customers are not screened against them yet"
    ]
    screen_folder(home.risk_path, Thresholds())
    assert tell() == []
    os.utime(lists / "alt.csv", ns=(0, ThisMachine().now_ms() * 10**6 - 9 * 86_400 * 10**9))
    assert tell() == ["the sanctions lists are of 9 days ago"]
    (lists / "alt.csv").unlink()
    screen_folder(home.risk_path, Thresholds())
    (told,) = tell()
    assert "alt.csv is not beside it" in told
    write_customers(home.risk_path, ("cat", "New Name", "", ""))
    (lists / "alt.csv").unlink()
    os.utime(lists / "SDN.CSV", ns=(0, 0))
    (told,) = tell()
    assert "alt.csv is not beside it" in told, "however old lists are, all is told"
    assert "1 customer is not screened" in told
    (lists / "SDN.CSV").unlink()
    assert [each.status for each in look(home)] == [Status.FAIL]


def test_the_file_of_decisions_is_looked_at_and_left_as_it_is(home):
    (home.risk_path / "policy.toml").write_text("version = 1\n")
    EncryptedFile.create(home.decisions_path, PASSPHRASE, FORM, os.urandom, CHEAP).close()
    before = home.decisions_path.read_bytes()
    assert [each.status for each in look(home, PASSPHRASE)] == [Status.WARN]
    assert "wrong passphrase" in look(home, "another")[-1].found
    assert home.decisions_path.read_bytes() == before
    assert [path.name for path in home.risk_path.iterdir()].count("decisions.db-wal") == 0
    home.decisions_path.write_bytes(b"no database" * 1_000)
    assert "put the newest copy back" in look(home)[-1].mend
    assert [each.status for each in look(home, pid=1)] == [Status.WARN], "the node has it open"


def test_a_model_that_is_not_in_force_on_the_ledger_is_told(tmp_path):
    bank = Bank(tmp_path, is_declared=False)

    def compare():
        rows = Reader(bank.world.chain.machine.state)
        check = compare_in_force(rows, NORTH, RiskFolder(tmp_path), "as of block 1")
        return check.status, check.found, check.mend

    def lose():
        return find_lost(Reader(bank.world.chain.machine.state), NORTH, tmp_path / "decisions.db")

    assert lose() == []
    status, found, mend = compare()
    assert (status, "approved on the ledger, and two officers have yet" in found) == (WARN, True)
    assert "--call risk.declare" in mend
    bank.declare(bank.models["champion"])
    status, found, _ = compare()
    assert (status, "not in force alone" in found) == (WARN, True)
    bank.declare(bank.models["champion"], NO_MODEL)
    assert compare()[0] is Status.OK
    bank.registry.stop()
    assert compare()[0] is Status.OK, "the policy is in force alone"
    (lost,) = lose()
    assert (lost.status, "no file of decisions" in lost.found) == (WARN, True)
    (tmp_path / "decisions.db").touch()
    assert lose() == []
