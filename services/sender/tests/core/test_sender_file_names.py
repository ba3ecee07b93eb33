"""File names: each file gets a name whose extension fits its type."""

import pytest

from sender.core.file_names import EXTENSIONS, file_name
from spreader.media.types import RULES


@pytest.mark.parametrize(
    ("kind", "mime_type", "given", "expected"),
    [
        ("document", "application/pdf", None, "document.pdf"),
        ("document", "application/pdf", "offer.PDF", "offer.PDF"),
        ("document", "application/pdf", "Price list v2.0", "Price list v2.0.pdf"),
        ("document", "application/pdf", "offer.", "offer.pdf"),
        ("document", "text/plain", "people.csv", "people.csv"),
        ("video", "video/3gpp", None, "video.3gp"),
        ("voice", "audio/ogg; codecs=opus", "note.opus", "note.opus.ogg"),
        ("voice", "audio/ogg; codecs=opus", "NOTE.OGG", "NOTE.ogg"),
        ("voice", "audio/ogg; codecs=opus", "voice.mp3", "voice.mp3.ogg"),
        ("voice", "audio/ogg; codecs=opus", "no name", "no name.ogg"),
        ("voice", "audio/ogg", None, "voice.ogg"),
        ("image", "image/jpeg", "photo.jpeg", "photo.jpeg"),
    ],
)
def test_a_name_has_the_extension_of_its_type(kind: str, mime_type: str, given: str | None, expected: str) -> None:
    assert file_name(kind, mime_type, given) == expected


def test_every_type_that_whatsapp_takes_has_an_extension() -> None:
    assert set(EXTENSIONS) == {name for rule in RULES.values() for name in rule.types}
