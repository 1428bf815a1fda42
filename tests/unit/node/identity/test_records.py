"""The file of records: what is kept, for how long, for whom, and that the file does not tell."""

import secrets
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hansa.identity.store import Kind, MemoryStore
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound
from hansa.node.identity.migration import FORMAT_VERSION
from hansa.node.identity.records import RecordFile
from hansa.passphrases import ScryptCost

CHEAP = ScryptCost(n=2, r=1, p=1)
PASSPHRASE = "an operator's own"
NOW = 1_795_953_600_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.db"


@pytest.fixture
def file(path):
    found = RecordFile.create(path, PASSPHRASE, secrets.token_bytes, CHEAP)
    yield found
    found.close()


def reopen(path, passphrase=PASSPHRASE):
    return RecordFile.open(path, passphrase, secrets.token_bytes)


def test_records_outlast_the_process(file, path):
    file.put(Kind.CODE, "k", b"value", NOW + 1)
    file.close()
    again = reopen(path)
    assert again.get(Kind.CODE, "k", NOW) == b"value"
    assert again.get(Kind.TOKEN, "k", NOW) is None
    again.close()


def test_the_file_tells_neither_values_nor_names(file, path):
    file.put(Kind.ISSUANCE, "whose-name-is-this", b'{"name":"Mei Tan"}', NOW + 1)
    file.add_issued(4, b"whose-credential")
    file.close()
    raw = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert path.stat().st_mode & 0o777 == 0o600
    for text in (b"Mei Tan", b"whose-name", b"whose-credential", b"issuance"):
        assert text not in raw


def test_a_wrong_passphrase_opens_nothing(file, path):
    with pytest.raises(Invalid) as caught:
        reopen(path, "another")
    assert caught.value.code is InvalidCode.UNAUTHENTICATED


def test_a_file_is_made_once_and_opened_where_it_is(file, path, tmp_path):
    with pytest.raises(Invalid):
        RecordFile.create(path, PASSPHRASE, secrets.token_bytes, CHEAP)
    with pytest.raises(NotFound):
        reopen(tmp_path / "other.db")


def test_what_is_no_file_of_records_is_corrupt(tmp_path):
    path = tmp_path / "records.db"
    path.write_bytes(b"something else " * 100)
    with pytest.raises(Corrupt):
        reopen(path)
    path.write_bytes(b"")
    with pytest.raises(Corrupt):
        reopen(path)


def test_expired_records_are_not_given_and_swept(file):
    file.put(Kind.NONCE, "old", b"1", NOW)
    file.put(Kind.NONCE, "new", b"2", NOW + 1)
    assert file.get(Kind.NONCE, "old", NOW) is None
    assert file.take(Kind.NONCE, "old", NOW) is None
    file.put(Kind.NONCE, "old", b"1", NOW)
    assert file.sweep(NOW) == 1
    assert file.get(Kind.NONCE, "old", NOW - 1) is None
    assert file.get(Kind.NONCE, "new", NOW) == b"2"


def test_only_one_of_several_gets_what_is_taken_or_added(file, path):
    file.put(Kind.CODE, "k", b"once", NOW + 1)
    found = []

    def run():
        mine = reopen(path)
        found.append((mine.take(Kind.CODE, "k", NOW), mine.add(Kind.SEEN, "k", NOW + 1, NOW)))
        mine.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(taken is not None for taken, _ in found) == [False] * 7 + [True]
    assert sorted(added for _, added in found) == [False] * 7 + [True]


def put_and_fail(file, key, error):
    with file.at_once():
        file.put(Kind.CODE, key, b"1", NOW + 1)
        raise error


def test_a_refusal_keeps_what_was_done_and_a_fault_does_not(file):
    with pytest.raises(NotFound):
        put_and_fail(file, "a", NotFound("nothing"))
    with pytest.raises(ZeroDivisionError):
        put_and_fail(file, "b", ZeroDivisionError())
    assert file.get(Kind.CODE, "a", NOW) == b"1"
    assert file.get(Kind.CODE, "b", NOW) is None


def test_each_place_is_given_once(file):
    assert file.add_issued(7, b"first") == 1
    assert file.add_issued(7, b"second") is None
    assert file.add_issued(None, b"third") == 2
    assert file.add_issued(None, b"fourth") == 3
    assert file.list_issued(limit=2) == [(1, 7, b"first"), (2, None, b"third")]
    assert file.list_issued(after=2) == [(3, None, b"fourth")]


def test_what_is_revoked_is_found_by_its_place(file):
    for place in (7, 9, None):
        file.add_issued(place, b"good")
    file.set_status(2, b"revoked", 1)
    assert file.list_statuses(0, 100) == {9: 1}
    assert file.list_statuses(0, 9) == {}
    file.set_status(2, b"suspended", 2)
    assert file.list_statuses(0, 100) == {9: 2}
    assert file.list_issued(after=1, limit=1) == [(2, 9, b"suspended")]


def test_a_place_that_is_taken_undoes_nothing_else(file):
    file.add_issued(7, b"first")
    with file.at_once():
        file.put(Kind.CODE, "a", b"1", NOW + 1)
        assert file.add_issued(7, b"second") is None
    assert file.get(Kind.CODE, "a", NOW) == b"1"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "get", "take", "add", "sweep"]),
        st.sampled_from([Kind.CODE, Kind.SEEN]),
        st.text(max_size=2),
        st.integers(0, 5),
    ),
    max_size=20,
)


@given(STEPS)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=30,
)
def test_it_does_what_the_store_in_memory_does(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("model") / "records.db"
    file, model = RecordFile.create(path, "p", secrets.token_bytes, CHEAP), MemoryStore()
    for time, (step, kind, key, expires) in enumerate(steps):
        if step == "put":
            file.put(kind, key, b"%d" % time, expires * 4)
            model.put(kind, key, b"%d" % time, expires * 4)
        elif step == "add":
            found = file.add(kind, key, expires * 4, time)
            assert found == model.add(kind, key, expires * 4, time)
        elif step == "sweep":
            file.sweep(time)
        else:
            assert getattr(file, step)(kind, key, time) == getattr(model, step)(kind, key, time)
    file.close()


OLD = Path(__file__).parent / "old"
"""Dumps of files that the program wrote before; the second credential of each is revoked."""


OLD_FILES = ["records_1_first.sql", "records_1_last.sql", "records_2.sql", "records_3.sql"]


@pytest.fixture(params=OLD_FILES)
def old(request, path):
    connection = sqlite3.connect(path)
    connection.executescript((OLD / request.param).read_text())
    connection.close()
    return path


def test_a_file_of_an_earlier_format_is_brought_up_to_date(old):
    for _ in range(2):  # the second time it is of today's
        again = reopen(old)
        assert again.get(Kind.CODE, "k", NOW) == b"value"
        assert [place for _, place, _ in again.list_issued()] == [0, 7, None]
        assert again.list_statuses(0, 100) == {7: 1}
        assert again.add_issued(9, b"{}") is not None
        again.set_status(again.count_issued(), b"{}", 1)
        assert again.list_statuses(0, 100) == {7: 1, 9: 1}
        again.close()
        connection = sqlite3.connect(old)
        connection.execute("DELETE FROM issued WHERE place = 9")
        connection.commit()
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
        connection.close()


def test_records_of_a_kind_are_listed_also_in_a_file_of_an_earlier_format(old):
    again = reopen(old)
    assert again.list_values(Kind.CODE, NOW, 9) == []
    for place in range(3):
        again.put(Kind.CODE, str(place), b"%d" % place, NOW + place)
    again.put(Kind.TOKEN, "other", b"other", NOW + 9)
    assert again.list_values(Kind.CODE, NOW, 9) == [b"2", b"1"]
    assert again.list_values(Kind.CODE, NOW, 1) == [b"2"]
    again.close()


def test_the_newest_that_was_issued_is_listed_page_by_page(file):
    for place in range(5):
        file.add_issued(place, b"%d" % place)
    assert [number for number, _, _ in file.list_newest_issued(None, 2)] == [5, 4]
    assert [value for _, _, value in file.list_newest_issued(4, 9)] == [b"2", b"1", b"0"]


def test_an_earlier_file_with_a_wrong_passphrase_stays_as_it_is(old):
    connection = sqlite3.connect(old)
    before = connection.execute("PRAGMA user_version").fetchone()
    assert before < (FORMAT_VERSION,)
    with pytest.raises(Invalid):
        reopen(old, "another")
    assert connection.execute("PRAGMA user_version").fetchone() == before
    connection.close()


def test_an_earlier_file_that_was_changed_is_damaged_and_stays_as_it_is(path):
    connection = sqlite3.connect(path)
    connection.executescript((OLD / "records_1_first.sql").read_text())
    connection.execute("UPDATE issued SET value = zeroblob(64) WHERE number = 3")
    connection.commit()
    with pytest.raises(Corrupt):
        reopen(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert "is_revoked" not in str(connection.execute("PRAGMA table_info(issued)").fetchall())
    connection.close()


def test_a_file_of_a_later_program_is_refused_and_not_called_damaged(file, path):
    file.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    connection.close()
    with pytest.raises(Invalid, match="later version of this program"):
        reopen(path)


def test_a_file_is_bound_to_its_first_owner(file, path):
    assert file.bind(b"ours")
    assert file.bind(b"ours")
    assert not file.bind(b"theirs")
    file.close()
    again = reopen(path)
    assert not again.bind(b"theirs")
    assert again.bind(b"ours")
    again.close()
