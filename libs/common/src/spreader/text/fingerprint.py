"""Fingerprint: a hash of a content that shows how similar two contents are, but not what they say.

It is a SimHash (Charikar 2002) of 64 bits over words and pairs of words. The fingerprints of two texts that differ in a
name or a number differ in a few bits. The fingerprints of unrelated texts differ in about half of the bits.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from spreader.contract.content import Content, MediaContent, TemplateContent, TextContent

BITS = 64
SIMILAR_BITS_MAX = 12
"""Contents whose fingerprints differ in at most this many bits count as similar."""
WORDS_MAX = 2_000  # the most words of a content that are hashed, because more could overflow the 16-bit counters
CACHED_MAX = 4_096

_COUNTER_BITS = 16
_COUNTER_MASK = (1 << _COUNTER_BITS) - 1
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")


def fingerprint(content: Content) -> str:
    """16 hex digits. If a file has no caption, its address or media id is hashed. Of a template, the name is hashed."""
    return _fingerprint(_text_of(content))


def differing_bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def is_similar(one: str, other: str) -> bool:
    return differing_bits(one, other) <= SIMILAR_BITS_MAX


def _text_of(content: Content) -> str:
    match content:
        case TextContent():
            return content.text
        case TemplateContent():
            return content.template.name
        case _:
            return _caption(content) or f"{content.type} {content.media.url or content.media.media_id}"


def _caption(content: MediaContent) -> str | None:
    return getattr(content, "caption", None)


@lru_cache(maxsize=CACHED_MAX)
def _fingerprint(text: str) -> str:
    plain = _NUMBER.sub("0", unicodedata.normalize("NFKC", text).casefold())
    words = _WORD.findall(plain)[:WORDS_MAX] or [plain]
    features = [*words, *map(" ".join, pairwise(words))]
    total = sum(_counters(feature) for feature in features)
    half = len(features) / 2
    bits = (total >> (_COUNTER_BITS * index) & _COUNTER_MASK > half for index in range(BITS))
    return f"{sum(1 << index for index, is_set in enumerate(bits) if is_set):016x}"


def _counters(feature: str) -> int:
    """The hash of a word or pair, as one number that consists of 64 counters of 16 bits. So one addition of two such
    numbers adds all their counters."""
    digest = hashlib.blake2b(feature.encode(), digest_size=BITS // 8).digest()
    table = _byte_counters()
    return sum(table[byte] << (8 * _COUNTER_BITS * index) for index, byte in enumerate(digest))


@lru_cache(maxsize=1)
def _byte_counters() -> tuple[int, ...]:
    return tuple(sum((byte >> bit & 1) << (_COUNTER_BITS * bit) for bit in range(8)) for byte in range(256))
