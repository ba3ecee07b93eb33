"""Possible opt-out: a customer's message that probably asks for no more messages. A person decides."""

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import groupby

from ingress.core.opt_out import is_opt_out, normalize, opt_out_words
from ingress.core.opt_out_phrases import (
    COURTESIES,
    MISSPELLED,
    OPT_OUT_EMOJI,
    OTHER_MATTERS,
    STOPPED_THINGS,
    STOPPING_WORDS,
    UNMISTAKABLE,
)

CHARACTERS_MAX = 200
WORDS_MAX = 24
"""A message with more characters or more words than these is never a possible opt-out."""
_DISTANCE_MAX = 5
"""The thing to stop may be this many words before or after the stopping word. The next word is at distance 1."""
_OPENING_WORDS_MAX = 3
_LONG_WORD = 8
"""If a word with at least this many letters has one wrong letter, it is probably misspelled and not another word."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\u200d\\s]")
_QUESTION = re.compile("[?؟]")

Phrase = tuple[str, ...]


def is_possible_opt_out(text: str | None, own_words: Collection[str] = (), ignored: Collection[str] = ()) -> bool:
    """Whether a message probably asks for no more messages, although it is not an opt-out word of the package.

    `own_words`: the opt-out words that the package has added. `ignored`: the opt-out words that the package ignores.
    """
    if text is None or len(text) > CHARACTERS_MAX or is_opt_out(text, own_words, ignored):
        return False
    if _is_emoji(text):
        return True
    words = tuple(normalize(text).split())
    ignored_words = {normalize(word) for word in ignored}
    if not words or len(words) > WORDS_MAX or " ".join(words) in ignored_words:
        return False
    certain = _certain(opt_out_words(own_words, ignored))
    unmistakable = _phrases(UNMISTAKABLE) - {tuple(word.split()) for word in ignored_words}
    return (
        _is_repeated_or_polite(words, certain)
        or _stops_messages(words)
        or (_QUESTION.search(text) is None and _opens_or_ends_with(words, unmistakable))
        or _is_misspelled(words, certain)
    )


def _is_emoji(text: str) -> bool:
    shown = _SELECTORS.sub("", text)
    return bool(shown) and set(shown) <= OPT_OUT_EMOJI


@lru_cache
def _certain(opt_outs: frozenset[str]) -> frozenset[Phrase]:
    return frozenset(tuple(word.split()) for word in opt_outs)


@lru_cache
def _phrases(texts: tuple[str, ...]) -> frozenset[Phrase]:
    return frozenset(tuple(normalize(text).split()) for text in texts)


def _is_repeated_or_polite(words: Phrase, certain: Collection[Phrase]) -> bool:
    """Whether the message consists only of opt-out words and courtesies: "STOP STOP", "Stop. Thank you"."""
    courtesies = _phrases(COURTESIES)
    # A number of words is in `reached` if the first words up to this number are only opt-out words and courtesies. Its
    # value says whether an opt-out word is among them.
    reached: dict[int, bool] = {0: False}
    for end in range(1, len(words) + 1):
        for start in [start for start in reached if start < end]:
            part = words[start:end]
            if part in certain or part in courtesies:
                reached[end] = reached.get(end, False) or reached[start] or part in certain
    return reached.get(len(words), False)


@lru_cache
def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    """The pattern that finds these phrases in a normalized text. If a phrase ends with *, its last word may be
    longer."""
    phrases = [re.escape(normalize(text)) + ("[^ ]*" if text.endswith("*") else "") for text in texts]
    return re.compile(f"(?<![^ ])(?:{'|'.join(sorted(phrases, key=len, reverse=True))})(?![^ ])")


def _places(text: str, texts: tuple[str, ...]) -> list[int]:
    """Where these phrases begin in a normalized text. Place 0 is the first word, and place 1 is the second word."""
    return [text.count(" ", 0, match.start()) for match in _pattern(texts).finditer(text)]


def _stops_messages(words: Phrase) -> bool:
    """Whether a stopping word and a word for messages are close together: "stop promo", "إلغاء اشتراك"."""
    text = " ".join(words)
    for stopping, things in zip(STOPPING_WORDS, STOPPED_THINGS, strict=True):
        things_at = _places(text, things)
        if things_at and any(
            0 < abs(thing - stop) <= _DISTANCE_MAX for stop in _places(text, stopping) for thing in things_at
        ):
            return True
    return False


def _opens_or_ends_with(words: Phrase, phrases: Collection[Phrase]) -> bool:
    """Whether a short message opens or ends with one of `phrases`: "stop it", "I said stop". A message with a word of
    `OTHER_MATTERS` does not count."""
    if len(words) > _OPENING_WORDS_MAX or set(words) & {word for (word, *_) in _phrases(OTHER_MATTERS)}:
        return False
    return any(words[: len(phrase)] == phrase or words[-len(phrase) :] == phrase for phrase in phrases)


def _is_misspelled(words: Phrase, certain: Collection[Phrase]) -> bool:
    """Whether the message is one misspelled opt-out word, perhaps with courtesies: "stoppp", "unsuscribe"."""
    courtesies = _phrases(COURTESIES)
    rest = [word for word in words if (word,) not in courtesies]
    if len(rest) != 1:
        return False
    (word,) = rest
    if word in MISSPELLED:
        return True
    singles = [phrase[0] for phrase in certain if len(phrase) == 1]
    return any(_is_nearly(word, single) for single in singles)


def _is_nearly(word: str, opt_out: str) -> bool:
    if min(len(word), len(opt_out)) >= _LONG_WORD and _differs_by_one(word, opt_out):
        return True
    return len(opt_out) > 2 and _collapse(word) == _collapse(opt_out)


def _collapse(word: str) -> str:
    return "".join(letter for letter, _ in groupby(word))


def _differs_by_one(one: str, other: str) -> bool:
    """Whether the two words differ in only one place. There, one letter was left out, added or replaced, or two
    neighbours were swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    is_swapped = one[2:] == other[2:] and one[:2] == other[1::-1]
    return one[1:] == other or one == other[1:] or one[1:] == other[1:] or is_swapped
