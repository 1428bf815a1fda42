"""Where decisions stand is found, whatever happened to the index beside the journal."""

import hashlib
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansa.engine.store import StateStore
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.node.risk.clerk.places import Places


class Kept:
    """A journal: names by their places, from 1 on."""

    def __init__(self, kind=""):
        self.names = []
        self._kind = kind

    def read(self, first, limit):
        return list(enumerate(self.names, 1))[first - 1 : first - 1 + limit]

    def add(self, count):
        first = len(self.names)
        more = [_name(self._kind, at) for at in range(first, first + count)]
        self.names += more
        return first + 1, more


def _name(kind, at):
    return hashlib.sha256(f"{kind} {at}".encode()).digest()


def _check(places, kept):
    asked = [*kept.names[::3], *(_name("other", at) for at in range(5)), *kept.names[1::3]]
    stand = {name: place for place, name in kept.read(1, len(kept.names))}
    assert places.find(asked) == [stand.get(name) for name in asked]


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["crash", "close", 1, 2, 7, 40]), max_size=12))
def test_every_name_is_found_after_any_crash(tmp_path_factory, steps):
    folder, kept = tmp_path_factory.mktemp("places") / "index", Kept()
    places = Places(folder, kept.read, flushed=16)
    for step in steps:
        if isinstance(step, int):
            places.add(*kept.add(step))
        else:
            if step == "close":
                places.close()
            else:
                places._store.close()  # noqa: SLF001 - what is in memory is lost
            places = Places(folder, kept.read, flushed=16)
        _check(places, kept)
    places.close()


def test_what_a_crash_left_out_is_read_from_the_journal_alone(tmp_path):
    kept = Kept()
    places = Places(tmp_path / "index", kept.read, flushed=16)
    places.add(*kept.add(20))
    places.close()
    kept.add(5)  # in the journal, before the index heard of it
    with closing(Places(tmp_path / "index", kept.read)) as again:
        _check(again, kept)


@pytest.mark.parametrize("other", ["of another bank", "shorter", "damaged", "no store"])
def test_an_index_that_is_not_the_journals_is_made_anew(tmp_path, other):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read)) as places:
        places.add(*kept.add(30))
    if other == "of another bank":
        kept = Kept("another")
        kept.add(50)
    elif other == "shorter":  # a copy was put back
        kept.names = kept.names[:10]
    elif other == "damaged":
        (tmp_path / "index" / "CURRENT").write_text("MANIFEST-000077\n")
    else:
        StateStore.wipe(tmp_path / "index")
    with closing(Places(tmp_path / "index", kept.read)) as again:
        _check(again, kept)
        again.add(*kept.add(3))
        _check(again, kept)


def test_damage_that_is_met_later_is_mended(tmp_path):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read, flushed=8)) as places:
        places.add(*kept.add(5_000))
    with closing(Places(tmp_path / "index", kept.read)) as places:
        (table,) = (tmp_path / "index").glob("*.sst")
        raw = bytearray(table.read_bytes())
        raw[: len(raw) // 2] = bytes(len(raw) // 2)
        table.write_bytes(raw)
        _check(places, kept)


def test_what_the_disk_refused_is_read_again(tmp_path, monkeypatch):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read)) as places:
        with monkeypatch.context() as patched:
            patched.setattr(StateStore, "write", _refuse)
            places.add(*kept.add(4))
            places.add(*kept.add(4))
            with pytest.raises(Unavailable):
                places.find(kept.names)
        places.add(*kept.add(4))
        _check(places, kept)


@pytest.mark.parametrize("name", ["write", "flush"])
def test_damage_that_is_met_while_it_is_written_is_mended(tmp_path, monkeypatch, caplog, name):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read, flushed=8)) as places:
        places.add(*kept.add(4))
        with monkeypatch.context() as patched:
            patched.setattr(StateStore, name, _tell_damage)
            places.add(*kept.add(10))
            places.add(*kept.add(4))
        assert "is found anew: a table is missing" in caplog.text
        places.add(*kept.add(4))
        _check(places, kept)


def test_an_index_that_is_taken_away_under_it_is_made_anew(tmp_path):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read, flushed=8)) as places:
        places.add(*kept.add(20))
        StateStore.wipe(tmp_path / "index")
        for _ in range(6):
            places.add(*kept.add(5))
        _check(places, kept)
        places.add(*kept.add(5))
    with closing(Places(tmp_path / "index", kept.read)) as again:
        _check(again, kept)


def test_damage_that_is_met_while_it_is_brought_up_is_mended(tmp_path, monkeypatch):
    kept = Kept()
    with closing(Places(tmp_path / "index", kept.read)) as places:
        places.add(*kept.add(5))
    kept.add(5)
    write_before = StateStore.write
    writes = [write_before, _tell_damage]

    def write(*arguments):
        return (writes.pop() if len(writes) > 1 else writes[0])(*arguments)

    monkeypatch.setattr(StateStore, "write", write)
    with closing(Places(tmp_path / "index", kept.read)) as again:
        assert writes == [write_before]
        _check(again, kept)


@pytest.mark.parametrize("name", ["flush", "close"])
@pytest.mark.parametrize("error", [Corrupt("a table is missing"), Unavailable("the disk is full")])
def test_it_is_closed_whatever_is_met(tmp_path, monkeypatch, name, error):
    kept = Kept()
    places = Places(tmp_path / "index", kept.read)
    places.add(*kept.add(5))
    with monkeypatch.context() as patched:
        close = StateStore.close

        def fail(store, **_):
            close(store)
            raise error

        patched.setattr(StateStore, name, fail)
        places.close()
    with closing(Places(tmp_path / "index", kept.read)) as again:  # nobody holds its lock
        _check(again, kept)


def _refuse(*_):
    raise Unavailable("the disk is full")


def _tell_damage(*_, **__):
    raise Corrupt("a table is missing")
