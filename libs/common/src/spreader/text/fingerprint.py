"""Likeness: how near two contents are to each other, by a fingerprint that does not tell what they say.

The fingerprint is a SimHash of 64 bits over words and pairs of words: texts that differ in a name or a number differ in
a few bits, other texts in about half of them.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from spreader.contract.content import Content, MediaContent, TemplateContent, TextContent

BITS = 64
NEAR_BITS_MAX = 12
"""Up to so many differing bits, two contents say nearly the same."""
WORDS_MAX = 2_000  # of one content: each of the counters below has 16 bits
CONTENTS_REMEMBERED_MAX = 4_096

_LANE_BITS = 16
_LANE_MASK = (1 << _LANE_BITS) - 1
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


def fingerprint(content: Content) -> str:
    """16 hex digits. What has no words (a picture without a caption) is known by its file, a template by its name."""
    return _fingerprint(_said(content))


def differing_bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def is_near(one: str, other: str) -> bool:
    return differing_bits(one, other) <= NEAR_BITS_MAX


def _said(content: Content) -> str:
    match content:
        case TextContent():
            return content.text
        case TemplateContent():
            return content.template.name
        case _:
            return _caption(content) or f"{content.type} {content.media.url or content.media.media_id}"


def _caption(content: MediaContent) -> str | None:
    return getattr(content, "caption", None)


@lru_cache(maxsize=CONTENTS_REMEMBERED_MAX)
def _fingerprint(said: str) -> str:
    plain = _NUMBER.sub("0", unicodedata.normalize("NFKC", said).casefold())
    words = _WORD.findall(plain)[:WORDS_MAX] or [plain]
    features = [*words, *map(" ".join, pairwise(words))]
    total = sum(_spread(feature) for feature in features)
    half = len(features) / 2
    bits = (total >> (_LANE_BITS * place) & _LANE_MASK > half for place in range(BITS))
    return f"{sum(1 << place for place, is_set in enumerate(bits) if is_set):016x}"


def _spread(feature: str) -> int:
    """The hash of a feature, each of its bits in a counter of its own: all 64 are added up in one addition."""
    digest = hashlib.blake2b(feature.encode(), digest_size=BITS // 8).digest()
    spread = _spread_bytes()
    return sum(spread[byte] << (8 * _LANE_BITS * place) for place, byte in enumerate(digest))


@lru_cache(maxsize=1)
def _spread_bytes() -> tuple[int, ...]:
    return tuple(sum((byte >> bit & 1) << (_LANE_BITS * bit) for bit in range(8)) for byte in range(256))
