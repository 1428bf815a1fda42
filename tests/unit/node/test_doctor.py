"""The doctor finds each planted fault, says where it is and what to do, and hides none."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import sqlite3
from dataclasses import dataclass, field

import pytest
import rocksdict
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.authority import Authority
from tests.played import CHEAP, PASSPHRASE, make_folder, open_folder, play
from tests.world import START_MS, key, make_genesis

from hansa.cli.main import main
from hansa.compiled import is_in_use
from hansa.contracts import accounts
from hansa.encrypted_file import EncryptedFile
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.engine.table_file import TableWriter, build_options
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.node.channel.database import Database
from hansa.node.doctor.checks import Status, ThisMachine
from hansa.node.doctor.examination import check_home, is_well
from hansa.node.home import Home
from hansa.node.network.logs import End, EndFile
from hansa.node.reconcile.format import FORM
from hansa.sdk.keys import ChannelKey, save_channel_key, save_key

NOON_MS = START_MS + DAY_MS


@dataclass
class Machine:
    """A machine whose clock, disk, ports and processes are as the test says."""

    clock_ms: int = NOON_MS
    free: int = 1 << 40
    ports: set = field(default_factory=set)
    pids: set = field(default_factory=lambda: {os.getpid()})
    python: tuple = (3, 11)
    missing: tuple = ()
    read_only: bool = False

    def now_ms(self):
        return self.clock_ms

    def free_bytes(self, folder):
        return self.free

    def is_read_only(self, folder):
        return self.read_only

    def is_listening(self, host, port):
        return port in self.ports

    def is_alive(self, pid):
        return pid in self.pids

    def python_version(self):
        return self.python

    def list_missing_libraries(self):
        return list(self.missing)


@pytest.fixture(scope="module")
def well(tmp_path_factory) -> Home:
    home = make_folder(tmp_path_factory.mktemp("doctor") / "node")
    home.path.chmod(0o700)
    return home


@pytest.fixture
def home(well, tmp_path) -> Home:
    """A copy to be damaged."""
    shutil.copytree(well.path, tmp_path / "node")
    return Home(tmp_path / "node")


def look(home, machine=None, **more):
    """Return what is not well, by name."""
    checks = check_home(home.path, machine or Machine(), **more)
    sick = {check.name: check for check in checks if check.status is not Status.OK}
    assert all(check.mend for check in sick.values()), "it says what to do"
    return sick


def test_a_good_node_is_well(well):
    checks = check_home(well.path, Machine(), passphrase=PASSPHRASE)
    assert [check for check in checks if check.status is not Status.OK] == []
    assert is_well(checks)
    assert ("compiled" if is_in_use() else "from source") in checks[0].found
    assert {"opens with the passphrase"} == {
        check.found for check in checks if check.name.startswith("key ")
    }
    assert look(well) == {}, "and without a passphrase, too"


def test_no_folder(tmp_path):
    sick = look(Home(tmp_path / "none"))
    assert sick["folder"].status is Status.FAIL
    assert set(sick) == {"folder"}
    assert "hansa init" in sick["folder"].mend


def test_what_is_no_folder_of_a_node(home, tmp_path):
    file = tmp_path / "file"
    file.touch()
    (fault,) = look(Home(file)).values()
    assert fault.found == "it is no folder"
    (fault,) = look(Home(home.path.parent)).values()
    assert fault.mend == f"name one of them, as {home.path}"


NO_KEYS = '{"version":1,"keys":[]}'


def write_keys(home, text, mode=0o600):
    """Write the list of API keys."""
    home.api_keys_path.write_text(text)
    home.api_keys_path.chmod(mode)


def test_api_keys_that_the_node_reads_are_well(home):
    write_keys(home, NO_KEYS)
    assert look(home) == {}


@pytest.mark.parametrize(
    ("name", "change", "status", "words"),
    [
        ("folder", lambda home: home.path.chmod(0o755), "warn", "others"),
        ("genesis", lambda home: home.genesis_path.unlink(), "fail", "no genesis"),
        ("genesis", lambda home: home.genesis_path.write_bytes(b"rubbish"), "fail", "decoded"),
        ("settings", lambda home: home.settings_path.write_text("a ="), "fail", "node.toml"),
        ("settings", lambda home: home.settings_path.write_bytes(b"\xff"), "fail", "node.toml"),
        ("key node", lambda home: home.key_path("node").unlink(), "fail", "seals blocks"),
        ("key sponsor", lambda home: home.key_path("sponsor").unlink(), "fail", "signs batches"),
        ("key node", lambda home: home.key_path("node").chmod(0o640), "fail", "0640"),
        ("key node", lambda home: home.key_path("node").write_text("{}"), "fail", "damaged"),
        ("api keys", lambda home: write_keys(home, "[nan"), "fail", "cannot be read"),
        ("api keys", lambda home: write_keys(home, "[]"), "fail", "takes no key"),
        ("api keys", lambda home: write_keys(home, '{"version":9,"keys":[]}'), "fail", "version 9"),
        ("api keys", lambda home: write_keys(home, '{"version":1,"keys":[{}]}'), "fail", "no key"),
        ("api keys", lambda home: write_keys(home, NO_KEYS, 0o640), "fail", "others"),
        ("log", lambda home: shutil.rmtree(home.log_path), "fail", "blocks are missing"),
        ("store", lambda home: shutil.rmtree(home.store_path), "warn", "no state store"),
    ],
)
def test_a_planted_fault_is_found(home, name, change, status, words):
    change(home)
    check = look(home)[name]
    assert check.status == status
    assert words in check.found + check.where


def test_a_directory_in_the_place_of_a_key(home):
    home.key_path("node").unlink()
    home.key_path("node").mkdir(mode=0o700)
    assert look(home)["key node"].status is Status.FAIL


def test_a_wrong_passphrase_and_a_foreign_sealer(home):
    assert "does not open it" in look(home, passphrase="other")["key node"].found
    save_key(home.key_path("node"), key("stranger"), PASSPHRASE, replace=True, cost=CHEAP)
    assert "none of the keys" in look(home)["key node"].found


def test_a_server_key_that_no_member_has(home):
    save_key(home.key_path("sponsor"), key("stranger"), PASSPHRASE, replace=True, cost=CHEAP)
    check = look(home)["server key"]
    assert check.status is Status.FAIL
    assert f"{to_text(key('stranger').address)}, may sign batches for no member" in check.found
    assert str(home.key_path("sponsor")) in check.where
    shutil.rmtree(home.log_path)
    shutil.rmtree(home.store_path)
    assert look(home)["server key"].where.endswith("as of genesis")


def test_a_server_key_that_was_rotated_and_lies_here_still(home):
    with open_folder(home.path) as world:
        rotate = accounts.Rotate(
            key("north").address, key("north server").address, key("new server").address
        )
        world.nonces = 2_000
        assert world.do(["north", "new server"], rotate) == ""
    assert "may sign batches for no member" in look(home)["server key"].found
    save_key(home.key_path("sponsor"), key("new server"), PASSPHRASE, replace=True, cost=CHEAP)
    assert look(home) == {}


def make_messages(home):
    """Give the node a channel, and a file of messages as a stopped node leaves it."""
    save_channel_key(home.key_path("channel"), ChannelKey.generate(), PASSPHRASE, cost=CHEAP)
    Database.open(home.messages_path).close()


def list_files(home):
    return {path: path.stat().st_mtime_ns for path in home.path.rglob("*")}


def test_a_damaged_file_of_messages(home):
    make_messages(home)
    before = list_files(home)
    assert "messages" not in look(home)
    assert list_files(home) == before, "nothing is written"
    with home.messages_path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * 8_192)
    check = look(home)["messages"]
    assert check.status is Status.FAIL
    assert "move it away" in check.mend
    home.messages_path.write_bytes(b"no database" * 1_000)
    assert look(home)["messages"].status is Status.FAIL
    home.key_path("channel").unlink()
    assert "messages" not in look(home), "a node without a channel opens none"


def test_messages_are_looked_at_with_what_a_killed_node_left(home):
    make_messages(home)
    node = sqlite3.connect(home.messages_path)
    node.execute("INSERT INTO received_lanes VALUES (x'00', 't', 1, x'00', x'00', 1)")
    node.commit()
    left = home.path.parent / "left"
    shutil.copytree(home.path, left)
    node.close()
    killed = Home(left)
    before = list_files(killed)
    assert killed.messages_path.with_name("messages.db-wal").stat().st_size > 0
    assert "messages" not in look(killed)
    killed.messages_path.write_bytes(b"no database" * 1_000)
    assert look(killed)["messages"].status is Status.FAIL
    assert list_files(killed).keys() == before.keys()


def test_what_a_node_needs_that_is_set_to_reconcile(home):
    home.settings_path.write_text('[reconciliation]\nkey = "keys/stating.json"\n')
    assert "there is no key file" in look(home)["reconciliation"].found
    save_key(home.key_path("stating"), key("north"), PASSPHRASE, cost=CHEAP)
    assert "there is no channel key" in look(home)["reconciliation"].found
    make_messages(home)
    assert "reconciliation" not in look(home), "the journals are made at its start"
    EncryptedFile.create(home.journals_path, PASSPHRASE, FORM, os.urandom, CHEAP).close()
    before = list_files(home)
    assert "reconciliation" not in look(home, passphrase=PASSPHRASE)
    assert "wrong passphrase" in look(home, passphrase="another")["reconciliation"].found
    assert list_files(home) == before, "nothing is written"
    home.journals_path.write_bytes(b"no database" * 1_000)
    check = look(home)["reconciliation"]
    assert (check.status, "newest copy" in check.mend) == (Status.FAIL, True)


@pytest.mark.parametrize("again_ms", [None, NOON_MS])
def test_how_a_supervised_node_ended_is_told(home, again_ms):
    file = EndFile(home.path / "ended.json")
    assert look(home) == {}
    file.write(End("ended with exit code 5: CometBFT has ended", again_ms))
    check = look(home)["last end"]
    assert check.status is Status.WARN
    assert "ended with exit code 5: CometBFT has ended" in check.found
    supervisor, node = FileStorage(home.path.parent), FileStorage(home.log_path)
    node.lock()
    assert "last end" not in look(home), "it was started by other means"
    supervisor.lock()
    check = look(home)["last end"]
    node.unlock()
    assert check.status is Status.FAIL
    assert f"hansa network logs --dir {home.path.parent} --node node" in check.mend
    start = f"It was left: then start it by hansa up --data {home.path}"
    assert (start in check.mend) == (again_ms is None)
    file.write(None)
    assert "last end" not in look(home), "it has answered"
    supervisor.unlock()


def test_damage_in_the_log_is_found(home):
    segment = max(home.log_path.glob("*"), key=lambda path: path.stat().st_size)
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    check = look(home)["log"]
    assert check.status is Status.FAIL
    assert "backup" in check.mend


def test_confirmed_blocks_that_are_gone_are_no_new_node(home):
    """The `confirmed` file and the store remember them, each without the other."""
    for segment in home.log_path.glob("blocks-*"):
        segment.unlink()
    check = look(home)["log"]
    assert (check.status, "was confirmed" in check.found) == (Status.FAIL, True)
    assert "backup" in check.mend
    assert main(["audit", "--data", str(home.path)]) == 70, "nor is an empty log sound"
    shutil.rmtree(home.store_path)
    assert look(home)["log"].status is Status.FAIL
    shutil.rmtree(home.log_path)
    check = look(home)["log"]
    assert check.status is Status.WARN
    assert "if this one ran before" in check.mend


def test_a_bit_flipped_in_the_store_is_found(home):
    """The opening of a store and a look at a few rows read little of it."""
    tables = sorted(home.store_path.glob("*.sst"))
    changes = {b"t%d" % number: bytes(64) for number in range(1_000)}  # as if more had been paid
    store = StateStore.open(home.store_path)
    height = store.height
    store.close()
    database = rocksdict.Rdict(str(home.store_path), build_options())
    writer = TableWriter(home.path / "more.sst", changes, height)
    writer.write()
    writer.finish()
    database.ingest_external_file([str(home.path / "more.sst")])
    database.close()
    assert look(home) == {}, "still well"
    (table,) = (path for path in home.store_path.glob("*.sst") if path not in tables)
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 2] ^= 1
    table.write_bytes(raw)
    check = look(home)["store"]
    assert (check.status, "remove this folder" in check.mend) == (Status.FAIL, True)


@pytest.mark.parametrize(("name", "pattern"), [("store", "store/*.sst"), ("log", "log/*.log")])
def test_what_the_system_refuses_is_no_reason_to_remove_anything(home, name, pattern):
    for path in sorted(home.path.glob(pattern)):
        path.unlink()
        path.symlink_to(path)  # the system refuses to open it, whoever asks
    check = look(home)[name]
    assert "symbolic links" in check.found
    assert check.status is Status.FAIL
    assert check.mend.startswith("remove nothing: look into the system's log (dmesg)")


def test_a_file_system_that_is_mounted_read_only(home):
    found = look(home, Machine(read_only=True))
    assert list(found) == ["disk"]
    assert "mounted read-only" in found["disk"].found
    assert "dmesg" in found["disk"].mend


def test_what_was_not_read_of_a_store_is_said(home):
    store = StateStore.open_read_only(home.store_path)
    try:
        assert store.read_through(3) == (3, False)
        count, is_whole = store.read_through(10**6)
        assert (count > 3, is_whole) == (True, True)
    finally:
        store.close()


def test_a_log_of_another_network(home, tmp_path):
    with open_folder(tmp_path / "other", make_genesis(name="other")) as world:
        play(world)
    shutil.rmtree(home.log_path)
    shutil.copytree(tmp_path / "other" / "log", home.log_path)
    assert "another network" in look(home)["log"].found


def test_a_log_that_lost_blocks(home, tmp_path):
    """The store knows of blocks that the log no longer has."""
    with open_folder(tmp_path / "young"):
        pass
    shutil.rmtree(home.log_path)
    shutil.copytree(tmp_path / "young" / "log", home.log_path)
    check = look(home)["store"]
    assert check.status is Status.FAIL
    assert "the log ends at" in check.found


def test_a_node_that_runs_is_told_from_a_strange_lock(home):
    storage = FileStorage(home.log_path)
    storage.lock()
    try:
        assert "port" in look(home), "it should answer there"
        assert look(home, Machine(ports={8460})) == {}
        assert "not by the process" in look(home, Machine(pids=set()))["process"].found
    finally:
        storage.unlock()
    assert look(home) == {}


def test_clock_disk_and_port(home):
    assert "later" in look(home, Machine(clock_ms=START_MS + 500))["clock"].found
    assert "before the network" in look(home, Machine(clock_ms=START_MS - DAY_MS))["clock"].found
    assert look(home, Machine(free=1 << 20))["disk"].status is Status.FAIL
    assert "another program" in look(home, Machine(ports={8460}))["port"].found
    assert look(home, Machine(ports={8460}), listen=("127.0.0.1", 9000)) == {}
    assert look(home, Machine(python=(3, 9)))["python"].status is Status.FAIL
    assert "aiohttp" in look(home, Machine(missing=("aiohttp",)))["libraries"].found


def test_of_a_port_that_nobody_can_know_nothing_is_said(home):
    home.settings_path.write_text("a =")
    assert "which cannot be read" in look(home)["port"].found
    assert "port" not in look(home, listen=("127.0.0.1", 9000))


def make_certificate(path, days):
    """A self-signed certificate, valid from a day before noon for some days after it."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    noon = dt.datetime.fromtimestamp(NOON_MS // 1000, dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(noon - dt.timedelta(days=30))
        .not_valid_after(noon + dt.timedelta(days=days))
        .sign(secret, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(("days", "status"), [(90, "ok"), (10, "warn"), (-1, "fail")])
def test_certificates_by_their_age(home, tmp_path, days, status):
    file = tmp_path / "node.pem"
    make_certificate(file, days)
    found = look(home, certificate=file)
    assert (found["certificate"].status if found else "ok") == status


def test_the_key_of_tls_is_for_its_owner_alone(home):
    Authority(home.path).issue("server", is_server=True)
    home.settings_path.write_text('[tls]\ncertificate = "server.crt"\nkey = "server.key"\n')
    file = home.path / "server.key"
    file.chmod(0o644)
    check = look(home)["tls key"]
    assert (check.status, check.where, check.mend) == ("fail", str(file), f"chmod 600 {file}")
    assert "0644" in check.found
    file.chmod(0o600)
    assert "tls key" not in look(home)


def test_a_certificate_that_is_none(home, tmp_path):
    (tmp_path / "rubbish.pem").write_bytes(b"\x00\xff")
    for file in (tmp_path / "rubbish.pem", tmp_path / "none.pem", tmp_path):
        assert "cannot be read" in look(home, certificate=file)["certificate"].found


def test_this_machine_answers(tmp_path):
    machine = ThisMachine()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert not machine.is_listening("127.0.0.1", port)
        listener.listen()
        assert machine.is_listening("127.0.0.1", port)
    assert machine.is_alive(os.getpid())
    assert not machine.is_alive(0), "no process, though kill(2) has a meaning for it"
    assert machine.list_missing_libraries() == []
    assert machine.free_bytes(tmp_path) > 0
    assert not machine.is_read_only(tmp_path)
    assert machine.python_version() >= (3, 11)
    assert machine.now_ms() > START_MS


def test_the_command_says_it_in_words_and_json(home, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    main(["doctor", "--data", str(home.path), "--json"])
    found = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in found["checks"]]
    assert {"genesis", "key node", "log", "store", "contracts", "rules", "disk"} <= set(names)
    home.genesis_path.unlink()
    assert main(["doctor", "--data", str(home.path)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  genesis: there is no genesis document" in out
    assert "→ copy genesis.bin from a backup" in out
