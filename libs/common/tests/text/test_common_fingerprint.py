"""Fingerprint: which contents are similar, and that it is fast."""

import pytest

from spreader.contract.content import CONTENT, Content
from spreader.text.fingerprint import differing_bits, fingerprint, is_similar

OFFER = "Hello {name}! Our winter sale has begun: {percent} % off all coats and boots until Friday. Keep one for you?"
VISIT = "Good morning, your appointment with Dr Salem is tomorrow at ten. Please be on time."


def text(words: str) -> Content:
    return CONTENT.validate_python({"type": "text", "text": words})


def image(caption: str | None, url: str = "https://example.com/a.png") -> Content:
    return CONTENT.validate_python({"type": "image", "media": {"url": url}, "caption": caption})


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (text("Your parcel is here"), text("Your parcel is here"), True),
        (text(OFFER.format(name="Mona", percent=20)), text(OFFER.format(name="Karim", percent=35)), True),
        (text(OFFER), text(OFFER.upper()), True),
        (
            text(OFFER),
            text(VISIT),
            False,
        ),
        (text("Yes"), text("No"), False),
        (text(OFFER), image(OFFER), True),
        (image(None), image(None), True),
        (image(None), image(None, "https://example.com/b.png"), False),
        (text("!!!"), text("???"), False),
    ],
)
def test_similar_contents_have_similar_fingerprints(one: Content, other: Content, near: bool) -> None:
    assert is_similar(fingerprint(one), fingerprint(other)) is near


def test_the_fingerprint_of_a_template_depends_on_its_name() -> None:
    def template(name: str, *words: str) -> Content:
        parameters = [{"type": "text", "text": word} for word in words]
        filled = {"name": name, "language": "en_US", "components": [{"type": "body", "parameters": parameters}]}
        return CONTENT.validate_python({"type": "template", "template": filled})

    one, same, other = template("order_update", "Ann"), template("order_update", "Zoe"), template("winter_sale", "Bob")
    assert fingerprint(one) == fingerprint(same)
    assert not is_similar(fingerprint(one), fingerprint(other))


def test_a_fingerprint_is_the_same_in_every_process_and_reveals_no_words() -> None:
    assert fingerprint(text("Hello! Check out our new offers...")) == "a5143c295ef43ea9"
    assert differing_bits("0" * 16, "f" * 16) == 64


def test_the_longest_text_has_a_fingerprint() -> None:
    assert len(fingerprint(text("a " * 2048))) == 16
