"""Retry-After: the header in each of its forms."""

from datetime import UTC, datetime

import pytest

from sender.gateways.http_client import retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2026 12:00:30 -0000", 30.0),
        ("Mon, 01 Jun 2026 14:00:30 +0200", 30.0),
        ("Monday, 01-Jun-26 12:00:30 GMT", 30.0),  # RFC 850
        ("Mon Jun  1 12:00:30 2026", 30.0),  # asctime
        ("2026-06-01T12:00:30Z", 30.0),  # ISO 8601, which some proxies send
        (" 7 ", 7.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        *((odd, None) for odd in ("", "0", "-1", "soon", "nan", "Mon, 01 Jun 2026 11:00:00 GMT")),
    ],
)
def test_retry_after_is_read_in_every_form(header: str, seconds: float | None) -> None:
    wait = retry_after(header, datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert (wait.total_seconds() if wait is not None else None) == seconds
