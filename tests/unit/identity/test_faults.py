"""What a fault says can be shown: it is short, and moves no cursor."""

import pickle

import pytest

from hansa.identity.faults import MESSAGE_LETTERS_MAX, Fault, Unsound, make_showable
from hansa.identity.oauth.refusals import Declined, OAuthError


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the key of 吳 does not sign", "the key of 吳 does not sign"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\u202eb", "a\\u202eb"),
        ("a\ud800b", "a\\ud800b"),
        ("x" * 9_999, "x" * MESSAGE_LETTERS_MAX + "…"),
    ],
)
def test_what_strangers_sent_cannot_play_with_who_reads_it(message, shown):
    assert make_showable(message) == shown
    assert Unsound(Fault.KEY, message).message == shown
    assert Declined(OAuthError.INVALID_PROOF, message).message == shown


def test_a_fault_is_the_same_after_a_journey():
    for error in (Unsound(Fault.KEY, "x" * 999), Declined(OAuthError.INVALID_PROOF, "x" * 999)):
        assert pickle.loads(pickle.dumps(error)).message == error.message  # noqa: S301
