"""What texts have in common: letters in their order, beginnings and words, by how rare they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hansa.reconcile.matching.text import BEGINNING_MAX, Texts, group_beginnings

WORDS = st.text(alphabet="AB é", max_size=6)


def at(*places):
    return np.array(places, np.int64)


def compare(method, one, other, rows=()):
    texts = Texts([one, *rows], [other])
    return int(getattr(texts, method)(texts.left[:1], texts.right)[0])


def test_letters_are_counted_in_their_order():
    assert compare("compare_letters", "ACME LTD", "ACME LTD") == 1_000
    assert compare("compare_letters", "ABC", "XYZ") == 0
    assert compare("compare_letters", "ABCD", "ABXD") == 750


def test_a_rare_beginning_says_more_than_a_common_one():
    rows = ["J B"] * 60 + ["J SMITH"] * 2
    common = compare("compare_beginnings", "J BX", "J BY", rows)
    rare = compare("compare_beginnings", "J SMITH RENT", "J SMITH GI", rows)
    assert common == 0  # 62 of 64 rows begin so
    assert rare == 5  # "J SMITH " begins 2 of 64


def test_a_word_counts_wherever_it_stands_and_the_rarest_one_of_several():
    rows = ["PAYMENT X"] * 29 + ["Y"]
    assert compare("compare_words", "PAYMENT 7731", "7731 PAYMENT", rows) == 4  # 2 of 32
    assert compare("compare_words", "PAYMENT 1", "PAYMENT 2", rows) == 0  # 31 of 32
    assert compare("compare_words", "AB", "A B", rows) == 0


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6))
def test_rarities_are_those_of_counting_all_rows(left, right):
    texts = Texts(left, right)
    rows = left + right
    one = np.repeat(texts.left, len(right))
    other = np.tile(texts.right, len(left))
    beginnings, words = texts.compare_beginnings(one, other), texts.compare_words(one, other)
    for place, (a, b) in enumerate((a, b) for a in left for b in right):
        lengths = range(min(len(a), len(b)) + 1)
        shared = max(length for length in lengths if a[:length] == b[:length])
        alike = sum(row[:shared] == a[:shared] for row in rows)
        assert beginnings[place] == (len(rows) // alike).bit_length() - 1
        common = set(a.split()) & set(b.split())
        counts = [sum(word in row.split() for row in rows) for word in common]
        assert words[place] == max(((len(rows) // c).bit_length() - 1 for c in counts), default=0)


def test_only_the_beginning_of_long_texts_is_looked_at():
    long = "A" * (BEGINNING_MAX + 5)
    rows = [long + "X"] * 7
    assert compare("compare_beginnings", long + "B", long + "C", [*rows, *["Z"] * 23]) == 1


def test_texts_are_numbered_by_their_first_letters():
    texts = Texts(["ABC", "ABD", "", "B"], ["ABX", "A", "B"])
    left, right = group_beginnings(texts, 2)
    assert left[0] == left[1] == right[0]
    assert left[2] == -1
    assert left[3] == right[2]
    assert len({left[0], right[1], left[3]}) == 3
    whole = group_beginnings(texts, 0)
    assert len(set(whole[0].tolist()) - {-1}) == 3
