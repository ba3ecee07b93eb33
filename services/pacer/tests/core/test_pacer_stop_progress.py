"""Stop progress: a piece marks as done only what it has ended or need not end."""

import pytest

from pacer.core.stop_progress import ExaminedDelivery, cancellation_progress


def of(message_id: str, *seqs: int, is_held: bool = True) -> list[ExaminedDelivery]:
    return [ExaminedDelivery(message_id, f"d{seq}", seq, is_held) for seq in seqs]


@pytest.mark.parametrize(
    ("page", "ended", "expected"),
    [
        ([ExaminedDelivery("a", None, None, None)], set[str](), {"a": None}),
        (of("a", 1, 2), {"d1", "d2"}, {"a": None}),
        (of("a", 1, 2) + of("b", 3, 4), {"d1", "d2", "d3", "d4"}, {"a": None, "b": 4}),
        (of("a", 1, 2) + of("b", 3), {"d1", "d3"}, {"a": 1, "b": None}),
        (of("a", 1, 2, is_held=False) + of("b", 3), set[str](), {"a": None, "b": 2}),
    ],
)
def test_progress(page: list[ExaminedDelivery], ended: set[str], expected: dict[str, int | None]) -> None:
    progress = cancellation_progress(page, ended, page_max=4)
    assert {each.message_id: each.pending_after for each in progress} == expected
