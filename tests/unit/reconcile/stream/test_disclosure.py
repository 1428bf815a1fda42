"""What a bank shows of a window travels in parts, however much of it is under one tag."""

from __future__ import annotations

from tests.streamed import build_pair

from hansa.kernel.encoding import encode
from hansa.reconcile.stream.disclosure import (
    PART_BYTES,
    Shown,
    ShownTag,
    build_disclosures,
    join_parts,
)


def test_entries_under_one_tag_are_shown_in_as_many_parts_as_they_need():
    entries = tuple(Shown(bytes(32), bytes([each]) * 90_000) for each in range(20))
    tags = [
        ShownTag(bytes(16), entries[:1]),
        ShownTag(bytes([1] * 16), entries),
        ShownTag(bytes([2] * 16), entries[1:]),
    ]
    parts = list(build_disclosures(build_pair(), 0, (40, 0), tags))
    assert max(len(encode(each)) for each in parts) < PART_BYTES + 1_000
    assert len(parts) < 10
    assert join_parts(parts) == tags
    assert join_parts(parts[1:]) is None
    assert join_parts(parts[:-1]) is None
    [empty] = build_disclosures(build_pair(), 0, (0, 0), [])
    assert join_parts([empty]) == []
