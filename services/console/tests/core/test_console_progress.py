"""Progress: what became of a message, and why a delivery waits, in the operator's words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.core.api_models import ApiMessage
from console.core.progress import explanation_steps, finished_words, status_words

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def message(counts: dict[str, int], status: str = "completed") -> ApiMessage:
    return ApiMessage(
        message_id="msg_1", package_id="shop", lane="open", type="text", status=status, recipients=sum(counts.values()),
        counts=counts, accepted_at=NOON,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "words", "status"),
    [
        ({"read": 3, "sent": 1}, "4 sent", ("sent", "good")),
        ({"read": 21, "cancelled": 11_979}, "21 sent, 11\u202f979 cancelled", ("sent, 11\u202f979 cancelled", "off")),
        ({"delivered": 2, "failed": 2}, "2 sent, 2 failed", ("sent, 2 failed", "warn")),
        ({"suppressed": 4}, "4 suppressed", ("suppressed", "off")),
        ({"failed": 3, "rejected": 1}, "4 failed", ("failed", "bad")),
    ],
)
def test_a_final_state_tells_sent_failed_and_cancelled_apart(
    counts: dict[str, int], words: str, status: tuple[str, str]
) -> None:
    """Before, each of them was a green `completed`."""
    assert (finished_words(message(counts)), status_words(message(counts))) == (words, status)


def test_a_running_message_says_how_many_wait() -> None:
    assert (
        finished_words(message({"sent": 2, "released": 1, "held": 40}, "in_progress"))
        == "2 sent, 1 being sent, 40 waiting"
    )
    assert status_words(message({"held": 40}, "in_progress"))[0] == "in progress"


def steps(**pacing: Any) -> list[str]:
    explained = {"status": "held", "profile_id": "demo-4", "pacing": {"state": "held", **pacing}}
    return [step.words for step in explanation_steps(explained, {"demo-4": "Demo phone 4"}, "Africa/Cairo", NOON)]


def test_why_names_the_pause_of_an_older_pacer_too() -> None:
    bounds = {"gap": NOON.isoformat(), "package paused": None, "deliveries ahead": None}
    assert steps(bound="deliveries ahead", bounds=bounds, why="It is due; others are ahead of it.", ahead=4) == [
        "Demo phone 4 was chosen.", "4 messages are ahead of it.", "The package is paused.",
    ]  # fmt: skip


def test_why_has_names_and_one_clock() -> None:
    later = (NOON + timedelta(minutes=4)).isoformat()
    assert steps(bound="gap", why="The gap is not over.", next_release=later)[-1] == (
        "The gap is not over. It is sent in 4 min (14:04:00)."
    )
    assert (
        steps(bound="delivery", why="Scheduled for later.", not_before=later)[-1] == "Scheduled: not before 14:04:00."
    )
    sent = {"status": "sent", "pacing": {"state": "released", "released_at": NOON.isoformat()}}
    assert [step.words for step in explanation_steps(sent, {}, "Africa/Cairo", NOON)] == [
        "Given to the gateway: 14:00:00.", "Sent.",
    ]  # fmt: skip
