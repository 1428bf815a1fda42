"""Rows that enter the tree early leave it as if all had entered at the checkpoint."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from hansa.kernel.trees.commitment import Commitment
from hansa.kernel.trees.state_tree import StateTree


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Nodes(dict):
    """Tree nodes in memory."""

    get_node = dict.get
    put_node = dict.__setitem__

    def delete_node(self, path):
        self.pop(path, None)


def make(tables):
    made = Commitment(StateTree(Nodes(), digest), digest, tables)
    made.early_rows, made.step_rows = 3, 2
    return made


def finish(steps):
    return sum(1 for _ in steps)


keys = st.builds(
    lambda table, at: table + bytes([at]),
    st.sampled_from([b"aa", b"py", b"zz"]),
    st.integers(0, 30),
)
blocks = st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=12), max_size=8)


@given(checkpoints=st.lists(blocks, min_size=1, max_size=4))
def test_the_root_of_a_checkpoint_is_that_of_its_rows_alone(checkpoints):
    early, plain = make([b"py"]), make([])
    for blocks in checkpoints:
        committed = {}
        published = early.root
        for number, writes in enumerate(blocks):
            committed.update(writes)
            if number < len(blocks) - 1:  # the last is the checkpoint itself
                finish(early.add(sorted(writes.items())))
                assert early.root == published
        finish(early.close(committed))
        finish(plain.close(committed))
        assert early.root == plain.root == early.tree.root()


def test_rows_enter_early_when_there_are_enough_of_them():
    made = make([b"py"])
    writes = [(b"aa1", b"1"), (b"py1", b"1"), (b"py2", b"2"), (b"pz1", b"1")]
    finish(made.add(writes))
    assert made.tree.root() == made.root
    finish(made.add([(b"py3", b"3")]))
    assert made.tree.root() != made.root


def test_a_row_that_changes_after_it_entered_enters_again():
    made, plain = make([b"py"]), make([])
    first = {b"py%d" % at: b"old" for at in range(4)}
    finish(made.add(sorted(first.items())))
    finish(made.add([(b"py0", None), (b"py1", b"new")]))
    last = first | {b"py0": None, b"py1": b"new"}
    finish(made.close(last))
    finish(plain.close(last))
    assert made.root == plain.root


def test_it_pauses_every_so_many_rows():
    """Once where rows are hashed, and once where they enter the tree."""
    made = make([b"py"])
    assert finish(made.close({b"aa%d" % at: b"row" for at in range(7)})) == 4 + 4
    assert finish(made.close({})) == 0
