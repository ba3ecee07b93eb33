"""Check advice: each failure of a connection check says what to do."""

import pytest

from console.core.phones.check_advice import advice


@pytest.mark.parametrize(
    ("driver", "session", "detail", "title", "todo"),
    [
        ("waha", "unlinked", "the session is unlinked (SCAN_QR_CODE)", "WhatsApp is not linked", "Link this phone"),
        ("waha", "stopped", "the session is stopped (STOPPED)", "stopped", "Link this phone"),
        ("waha", "starting", "the session is starting (STARTING)", "starting", "Wait half a minute"),
        ("waha", "failed", "the gateway does not accept the key (401: Unauthorized)", "rejected the API key",
         "enter it below under Gateway"),
        ("evolution", "failed", "the gateway has no such instance (404: Not Found)", "does not know this account",
         "Correct its name"),
        ("waha", None, "the gateway at waha:3000 cannot be reached: ClientConnectorError", "cannot be reached",
         "whether it is running"),
        ("waha", None, "no call was made: the gateway at waha:3000 did not answer the last calls", "does not answer",
         "running"),
        ("waha", None, "no answer from the gateway at x after the request was written: TimeoutError",
         "does not answer", "running"),
        ("waha", "failed", "the profile has no credentials: set them in its gateway", "Credentials are missing",
         "Enter all credentials again"),
        ("waha", "failed", "the sender has no key to decrypt credentials: set SPREADER_SECRET_KEYS to the same value",
         "cannot read the stored credentials", "SPREADER_SECRET_KEYS"),
        ("waha", "failed", "the session is failed (FAILED)", "The session has failed", "Link this phone"),
        ("cloud_api", "unlinked", "the session is unlinked (DISCONNECTED)", "not linked", "WhatsApp Manager"),
        ("waha", None, "something new", "no clear result", "Check again"),
    ],
)  # fmt: skip
def test_a_failure_says_what_is_wrong_and_what_to_do(
    driver: str, session: str | None, detail: str, title: str, todo: str
) -> None:
    shown = advice(driver, {"ok": False, "session": session, "detail": detail})
    assert title in shown.title
    assert todo in shown.todo
    assert shown.detail == detail


def test_a_phone_that_works_needs_nothing() -> None:
    shown = advice("waha", {"ok": True, "session": "working", "detail": "the session is working"})
    assert (shown.tone, shown.todo) == ("good", "")
