"""A registry has one model decide, whatever its files and its users do to it."""

import json

import pytest
from tests.modelled import write_small

from hansa.kernel.errors import Invalid, NotFound
from hansa.node.risk.registry import EARLIER_MAX, ROLES_NAME, Registry

FEATURES = ("amount_minor", "age_ms")


def name_champion(registry):
    return registry.champion and registry.champion.manifest.name


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models", FEATURES)


@pytest.fixture
def ids(registry):
    """Hashes of three models that were added, by their names."""
    return {
        name: registry.add(write_small(FEATURES, name=name), name).manifest.model_id.hex()
        for name in ("first", "second", "third")
    }


def test_nobody_decides_before_a_model_is_promoted(registry):
    assert (registry.champion, registry.challenger, registry.faults) == (None, None, ())
    assert registry.list_models() == []
    assert not registry.folder.exists()


def test_a_model_is_added_once_and_a_damaged_file_of_it_is_mended(registry, ids):
    path = registry.folder / f"{ids['first']}.model"
    written = path.stat()
    registry.add(write_small(FEATURES, name="first"), "again")
    assert path.stat() == written
    path.write_bytes(b"")
    with pytest.raises(Invalid, match=path.name):
        registry.promote(ids["first"])
    registry.add(write_small(FEATURES, name="first"), "again")
    registry.promote(ids["first"])
    assert name_champion(registry) == "first"
    assert [each.fault for each in registry.list_models()] == [None] * 3


@pytest.mark.parametrize("raw", [b"", b"none", write_small((*FEATURES, "hour"))])
def test_what_is_no_model_for_these_features_is_not_added(registry, raw):
    with pytest.raises(Invalid, match=r"^new\.model"):
        registry.add(raw, "new.model")
    assert registry.list_models() == []


def test_models_are_swapped_and_gone_back_to_one_after_the_other(registry, ids):
    for name in ("first", "second", "second", "third"):
        registry.promote(ids[name])
        assert name_champion(registry) == name
    assert registry.rollback() == ids["second"]
    assert registry.rollback() == ids["first"]
    with pytest.raises(NotFound, match="no model decided before"):
        registry.rollback()
    assert name_champion(registry) == "first"


def test_so_many_champions_of_the_past_are_kept_and_no_more(registry, ids):
    for turn in range(EARLIER_MAX + 5):
        registry.promote(ids["first" if turn % 2 else "second"])
    assert len(registry.roles.earlier) == EARLIER_MAX
    assert Registry(registry.folder, FEATURES).roles == registry.roles


@pytest.mark.parametrize("go_on", ["promote", "rollback"])
def test_what_is_stopped_decides_again_only_once_it_is_asked_to(registry, ids, go_on):
    registry.promote(ids["first"])
    registry.promote(ids["second"])
    registry.stop()
    registry.set_challenger(ids["third"])
    for each in (registry, Registry(registry.folder, FEATURES)):
        assert each.champion is None
        assert each.roles.champion == ids["second"]
        assert each.challenger.manifest.name == "third"
    if go_on == "promote":
        registry.promote(ids["third"])
        assert (name_champion(registry), registry.challenger) == ("third", None)
    else:
        registry.rollback()
        assert name_champion(registry) == "first"


def test_a_challenger_is_another_model_or_nobody(registry, ids):
    registry.promote(ids["first"])
    with pytest.raises(Invalid, match="cannot challenge itself"):
        registry.set_challenger(ids["first"])
    registry.set_challenger(ids["second"])
    assert registry.challenger.manifest.name == "second"
    registry.set_challenger(None)
    assert registry.challenger is None


def test_a_node_sees_what_a_command_beside_it_did_once_it_is_told_to_look(registry, ids):
    beside = Registry(registry.folder, FEATURES)
    assert not beside.refresh()
    registry.promote(ids["first"])
    assert beside.champion is None
    assert beside.refresh()
    model = beside.champion
    assert model.manifest.name == "first"
    assert not beside.refresh()
    registry.set_challenger(ids["second"])
    assert beside.refresh()
    assert beside.champion is model  # who stays is not read again


@pytest.mark.parametrize("do", ["promote", "set_challenger"])
def test_an_unknown_model_gets_no_role(registry, ids, do):
    registry.promote(ids["first"])
    with pytest.raises(NotFound, match="there is no model"):
        getattr(registry, do)("ab" * 32)
    assert name_champion(registry) == "first"


def test_a_file_that_was_changed_or_renamed_decides_nothing_until_it_is_mended(registry, ids):
    registry.promote(ids["first"])
    path = registry.folder / f"{ids['first']}.model"
    raw = path.read_bytes()
    path.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])
    opened = Registry(registry.folder, FEATURES)
    assert opened.champion is None
    assert [path.name in fault for fault in opened.faults] == [True]
    assert not opened.refresh(), "nothing was changed since: it is not read for every payment"
    path.write_bytes(write_small(FEATURES, name="second"))
    assert opened.refresh()
    assert "it was renamed" in opened.faults[0]
    path.unlink()
    assert opened.refresh()
    assert "there is no model" in opened.faults[0]
    opened.add(raw, "again")
    assert opened.refresh()
    assert (name_champion(opened), opened.faults) == ("first", ())


@pytest.mark.parametrize(
    "roles",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 5_000,
        b'{"version": 2}',
        b'{"champion": "../x"}',
        b'{"champoin": null}',
        b" " * (1 << 17),
    ],
)
def test_damaged_roles_have_nobody_decide_and_are_told(registry, ids, roles):
    registry.promote(ids["first"])
    (registry.folder / ROLES_NAME).write_bytes(roles)
    assert registry.refresh()
    assert registry.champion is None
    assert "does not say which model decides" in registry.faults[0]
    with pytest.raises(Invalid, match="does not say which model decides"):
        registry.promote(ids["second"])
    registry.stop()  # works in any case
    assert (registry.faults, registry.roles.is_stopped) == ((), True)
    registry.promote(ids["second"])
    assert name_champion(registry) == "second"


def test_what_a_crash_left_half_written_changes_nothing(registry, ids):
    registry.promote(ids["first"])
    for name in (".hansa-0011", "roles.json.partial"):
        (registry.folder / name).write_bytes(b"{")
    opened = Registry(registry.folder, FEATURES)
    assert (name_champion(opened), opened.faults) == ("first", ())
    assert len(opened.list_models()) == 3


def test_a_write_that_fails_leaves_the_roles_of_before(registry, ids):
    registry.promote(ids["first"])
    before = (registry.folder / ROLES_NAME).read_bytes()
    (registry.folder / ROLES_NAME).unlink()
    (registry.folder / ROLES_NAME).mkdir()  # nothing can be renamed over a folder
    with pytest.raises(Invalid, match="not a file but a folder"):
        registry.promote(ids["second"])
    (registry.folder / ROLES_NAME).rmdir()
    (registry.folder / ROLES_NAME).write_bytes(before)
    assert json.loads(before)["champion"] == ids["first"]
    assert registry.refresh()
    assert name_champion(registry) == "first"
    assert list(registry.folder.glob(".hansa*")) == []
