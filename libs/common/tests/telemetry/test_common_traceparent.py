"""Traceparent: valid ones are parsed, all others are ignored."""

import pytest

from spreader.telemetry.traceparent import valid_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WHOLE = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (WHOLE, WHOLE),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),  # unknown flags are not passed on
        (f"cc-{TRACE}-{SPAN}-01", WHOLE),  # a later version begins as this one does
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", WHOLE),
    ],
)
def test_a_valid_traceparent_is_returned_in_the_form_of_version_00(said: str, read: str) -> None:
    assert valid_traceparent(said) == read


@pytest.mark.parametrize(
    "said",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}g-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f" {WHOLE}",
        f"{WHOLE}\r\nX-Injected: yes",
        f"cc-{TRACE}-{SPAN}-01-\r\nX-Injected: yes",
    ],
)
def test_an_invalid_traceparent_is_ignored(said: str) -> None:
    assert valid_traceparent(said) is None
