"""Names as tokens of small Latin letters and digits, from whatever script they are written in.

Accents, case, punctuation and apostrophes go. Other scripts are romanised letter by letter: what
comes of Cyrillic, Greek, Georgian, Devanagari, Hangul, kana and Thai is near to what people write;
Chinese and Kanji are read as Mandarin, whoever bears the name. Arabic and Hebrew write few
vowels, and none is invented.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

from hansa.kernel.errors import Invalid, InvalidCode

NAME_MAX = 512
"""Characters of a name that is screened."""
TOKENS_MAX = 64
"""Tokens of a name that is screened, or that are looked at of a listed one."""
TOKEN_MAX = 24
"""Letters of a token that are looked at."""
_JOINING = frozenset("'?`\u2019\u2018\u00b4\u02bc\u02bb\u02b9\u02bd\u2032")
"""Stand within a word: apostrophes, and what bad conversions made of them."""
_INVISIBLE = frozenset({"Cc", "Cf"})
"""Categories of what nobody sees, so that it parts no word: marks of direction, joiners."""
_ABJAD_LETTERS = """
\u0627a \u0622a \u0623a \u0625i \u0671a \u0628b \u067ep \u062at \u062bth \u062cj
\u0686ch \u062dh \u062ekh \u062fd \u0630dh \u0631r \u0632z \u0698zh \u0633s
\u0634sh \u0635s \u0636d \u0637t \u0638z \u063agh \u0641f \u0642q \u06a9k \u0643k
\u06afg \u0644l \u0645m \u0646n \u0647h \u0648w \u0624w \u064ay \u06ccy \u0649a
\u0626y \u0629a \u0621 \u0639 \u0640
\u05d0a \u05d1b \u05d2g \u05d3d \u05d4h \u05d5v \u05d6z \u05d7h \u05d8t \u05d9y
\u05dbk \u05dak \u05dcl \u05dem \u05ddm \u05e0n \u05dfn \u05e1s \u05e4p \u05e3f
\u05e6ts \u05e5ts \u05e7k \u05e8r \u05e9sh \u05eat \u05e2
"""
"""Of Arabic, Persian and Hebrew, with what people write for each in names."""
_ABJADS = {pair[0]: pair[1:] for pair in _ABJAD_LETTERS.split()}
_SERVANT = re.compile(r"((?:abd|abed|abid)(?:[aeu]|ou)[lrs])((?!lah)[a-z]{4,})")
_IDEOGRAPHS = ("CJK UNIFIED", "CJK COMPATIBILITY", "HANGUL SYLLABLE")


def split_name(name: str) -> list[str]:
    """Split a name into its tokens, in their order; empty if it has neither letter nor digit.

    Raises:
      Invalid: it is longer than `NAME_MAX` characters.
    """
    if len(name) > NAME_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"a name of {len(name)} characters; at most {NAME_MAX} are screened",
        )
    seen = "".join(letter for letter in name if not _is_invisible(letter))
    text = seen if seen.isascii() else _romanise(seen)
    folded = "".join(letter for letter in text.lower() if letter not in _JOINING)
    spaced = "".join(letter if letter.isalnum() else " " for letter in folded)
    return [part[:TOKEN_MAX] for token in spaced.split() for part in _split_servant(token)]


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) in _INVISIBLE and not letter.isspace()


def _split_servant(token: str) -> tuple[str, ...]:
    """Split off the Arabic *servant of the*, which some write with a space behind it."""
    found = _SERVANT.fullmatch(token)
    return (token,) if found is None else (found[1], found[2])


def _romanise(name: str) -> str:
    return "".join(map(_romanise_letter, unicodedata.normalize("NFKC", name)))


def _romanise_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in _ABJADS or letter in _JOINING:
        return _ABJADS.get(letter, "")
    if unicodedata.category(letter)[0] not in "LMN":
        return " "
    plain = "".join(each for each in anyascii(letter) if each.isalnum())
    if unicodedata.name(letter, "").startswith(_IDEOGRAPHS):
        return f" {plain} "
    return plain
