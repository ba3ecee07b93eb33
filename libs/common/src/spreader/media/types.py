"""Media types: which files WhatsApp accepts. The type of a file is detected from its bytes, not from names or headers.

The types and sizes are those of "Supported media types" in Meta's Cloud API documentation. Other gateways accept at
least these.
"""

import codecs
import io
from collections.abc import Mapping
from dataclasses import dataclass

import puremagic
from PIL import Image, UnidentifiedImageError

from spreader.media.containers import OLE_MAGIC, ZIP_MAGIC, ole_type, zip_type

MEGABYTE = 1024 * 1024
HEAD_BYTES = 4096
"""This many bytes from the beginning of a file are enough to detect most types."""
PIXELS_MAX = 25_000_000
"""The most pixels of an image. An image of this size takes up to 200 MB while it is decoded, however small its file
is."""
DECODED_TEXT_BYTES = 1 << 20
UNKNOWN = "application/octet-stream"

Image.MAX_IMAGE_PIXELS = None  # turns off the library's limit, which is higher than ours

_OFFICE = "application/vnd.openxmlformats-officedocument."


@dataclass(frozen=True, slots=True)
class FileRule:
    bytes_max: int
    types: frozenset[str]


RULES: Mapping[str, FileRule] = {
    "image": FileRule(5 * MEGABYTE, frozenset({"image/jpeg", "image/png"})),
    "voice": FileRule(16 * MEGABYTE, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
    "video": FileRule(16 * MEGABYTE, frozenset({"video/mp4", "video/3gpp"})),
    "document": FileRule(
        100 * MEGABYTE,
        frozenset(
            {
                "text/plain",
                "application/pdf",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                f"{_OFFICE}wordprocessingml.document",
                f"{_OFFICE}spreadsheetml.sheet",
                f"{_OFFICE}presentationml.presentation",
            }
        ),
    ),
}
"""The rule for each kind of content."""
BYTES_MAX = max(rule.bytes_max for rule in RULES.values())


def detect_type(head: bytes, whole: bytes) -> str:
    """The MIME type of a file. `UNKNOWN`: its bytes do not show a type."""
    if head[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if head[4:8] == b"ftyp":  # puremagic knows only a few brands
        return _of_brand(head[8:12])
    if head[:4] == b"OggS":
        return "audio/ogg" if b"OpusHead" in head[:128] else "audio/x-vorbis"
    if head[:6] == b"#!AMR\n":
        return "audio/amr"
    if head.startswith(ZIP_MAGIC):
        return zip_type(whole)
    if head.startswith(OLE_MAGIC):
        return ole_type(whole)
    if _is_mp3_frame(head):
        return "audio/mpeg"
    magic = _of_magic(head)
    return magic if magic is not None else "text/plain" if _is_text(whole) else UNKNOWN


def content_kinds(type_: str, size_bytes: int) -> tuple[str, ...]:
    """The kinds of content that can carry such a file."""
    return tuple(kind for kind in RULES if not objection(kind, type_, size_bytes))


def objection(kind: str, type_: str, size_bytes: int) -> str | None:
    """Why a file cannot be sent as a content of this kind. None: it can."""
    rule = RULES[kind]
    if type_ not in rule.types:
        allowed = ", ".join(sorted(rule.types))
        return f"it is {type_}, and WhatsApp takes as {kind} only {allowed}"
    if size_bytes > rule.bytes_max:
        return f"it has {size_bytes} bytes, and WhatsApp takes at most {rule.bytes_max} as {kind}"
    return None


def image_problem(type_: str, data: bytes) -> str | None:
    """Why an image cannot be displayed. None: it can, or the file is not an image.

    The header gives the size. An image that is too large is refused before it is decoded.
    """
    if not type_.startswith("image/"):
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > PIXELS_MAX:
                return f"the image has {image.width} x {image.height} pixels: at most {PIXELS_MAX:,} are accepted"
            image.draft(None, (1, 1))  # a JPEG is decoded at an eighth of its size, which still finds damage
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        return f"the image cannot be read: {type(error).__name__}"
    return None


def _of_brand(brand: bytes) -> str:
    if brand[:3] == b"3gp" or brand[:3] == b"3g2":
        return "video/3gpp"
    if brand[:3] == b"M4A":
        return "audio/mp4"
    return "video/mp4" if brand in _MP4_BRANDS else UNKNOWN


_MP4_BRANDS = {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash", b"MSNV"}
_SAME = {"image/jpg": "image/jpeg", "audio/mp3": "audio/mpeg", "audio/x-aac": "audio/aac", "audio/aacp": "audio/aac"}


def _of_magic(head: bytes) -> str | None:
    """The most likely type among those that can be sent. If none of these fits, it is the most likely of all types."""
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    allowed = {type_ for rule in RULES.values() for type_ in rule.types}
    names = [_SAME.get(match.mime_type, match.mime_type) for match in matches if match.mime_type]
    return next((name for name in names if name in allowed), names[0] if names else None)


def _is_mp3_frame(head: bytes) -> bool:
    """Whether a file begins with the header of an MP3 frame, as an MP3 file without an ID3 tag does. In such a header
    (ISO 11172-3), the first 11 bits are set, and the layer is III. The version, the bit rate and the sampling rate have
    no forbidden value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    version, bit_rate, sampling_rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and bit_rate != 15 and sampling_rate != 3


def _is_text(whole: bytes) -> bool:
    """Whether a file is a text in UTF-8. It is decoded in pieces, because a whole file as text needs up to four times
    its size."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(whole), DECODED_TEXT_BYTES):
            if "\0" in decoder.decode(whole[start : start + DECODED_TEXT_BYTES]):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return bool(whole)
