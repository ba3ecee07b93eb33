"""Stop progress: how far a piece has ended the held deliveries of cancelled messages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class ExaminedDelivery:
    """A delivery of a cancelled message. `delivery_id` and `seq` are None if the message has no further delivery."""

    message_id: str
    delivery_id: str | None
    seq: int | None
    is_held: bool | None


@dataclass(frozen=True, slots=True)
class CancellationProgress:
    """`pending_after`: the deliveries up to this place are done; None: all of them."""

    message_id: str
    pending_after: int | None


def cancellation_progress(
    page: Sequence[ExaminedDelivery], ended: Collection[str], page_max: int
) -> list[CancellationProgress]:
    """The progress of each message of a page, which is ordered by message and place.

    `ended`: the held deliveries of the page that were ended. The others were locked by another transaction, so the next
    piece examines them again.
    """
    messages = [(message_id, list(rows)) for message_id, rows in groupby(page, lambda row: row.message_id)]
    progress: list[CancellationProgress] = []
    for number, (message_id, rows) in enumerate(messages, start=1):
        skipped = [row.seq for row in rows if row.is_held and row.seq is not None and row.delivery_id not in ended]
        pending_after = None
        if skipped:
            pending_after = skipped[0] - 1
        elif number == len(messages) and len(page) == page_max:  # there may be more of this message
            pending_after = rows[-1].seq
        progress.append(CancellationProgress(message_id, pending_after))
    return progress
