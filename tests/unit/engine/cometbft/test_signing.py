"""An old copy of a signing state is found by a vote that it does not know of."""

from __future__ import annotations

import json

import pytest
from tests.vectors.parts import key
from tests.vectors.voting import Council, make_voted

from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.signing import require_newest_signing_state
from hansa.engine.cometbft.trail import FILE_NAME
from hansa.engine.storage import FileStorage
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, NotFound, Unavailable
from hansa.kernel.light.votes import Votes

HEIGHT = 12


@pytest.fixture
def home(tmp_path):
    """Of the validator `north`, which keeps a header that all have signed."""
    home = CometHome(tmp_path / "cometbft")
    home.create_keys(CometKey.generate(), CometKey(key("north votes").private_key))
    keep(home)
    return home


def keep(home, **signing):
    votes = Votes((), Council(make_voted()).sign(HEIGHT, **signing))
    FileStorage(home.path).replace(FILE_NAME, encode(votes))


def set_state(home, height):
    home.signing_state_path.write_text(json.dumps({"height": str(height), "round": 0, "step": 3}))


@pytest.mark.parametrize("height", [HEIGHT, HEIGHT + 1])
def test_a_state_that_knows_of_the_vote_is_taken(home, height):
    set_state(home, height)
    require_newest_signing_state(home)


def test_an_old_copy_is_refused(home):
    set_state(home, HEIGHT - 1)
    with pytest.raises(Invalid, match=r"ends at height 11, but .* voted at 12.*new --replace"):
        require_newest_signing_state(home)


def test_one_that_did_not_sign_may_know_of_less(home):
    """It was down then: others had more than two thirds."""
    keep(home, signers=("small", "seldom", "wrong"))
    set_state(home, HEIGHT - 1)
    require_newest_signing_state(home)


def test_a_new_key_has_signed_nothing(home):
    home.put_aside_consensus_key()
    home.create_consensus_key(CometKey.generate())
    require_newest_signing_state(home)


def test_before_any_vote_was_kept_there_is_nothing_to_compare(home):
    (home.path / FILE_NAME).unlink()
    set_state(home, 0)
    require_newest_signing_state(home)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"height": "x"}',
        b'{"height": "\xc1"}',
        b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000,
    ],
    ids=lambda raw: str(raw[:18]),
)
def test_what_is_no_state_is_refused(home, raw):
    home.signing_state_path.write_bytes(raw)
    with pytest.raises(Invalid, match="does not say what was signed last"):
        require_newest_signing_state(home)


def test_a_state_that_cannot_be_read_is_told(home):
    home.signing_state_path.unlink()
    home.signing_state_path.symlink_to("/proc/self/mem")  # a file that gives an error of the disk
    with pytest.raises(Unavailable, match=r"cannot read .*priv_validator_state"):
        require_newest_signing_state(home)


def test_a_missing_state_is_told(home):
    home.signing_state_path.unlink()
    with pytest.raises(NotFound):
        require_newest_signing_state(home)
