"""Stop progress: how far the stopper has come with the held deliveries of each cancelled message. The stopper ends the
deliveries in pieces, and each piece is one transaction."""

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
    """The message's deliveries whose `seq` is at most `pending_after` are done. None: all of them are done."""

    message_id: str
    pending_after: int | None


def cancellation_progress(
    page: Sequence[ExaminedDelivery], ended: Collection[str], page_max: int
) -> list[CancellationProgress]:
    """The progress of each message of a page. The page is ordered by message and `seq`.

    `ended`: the ids of the held deliveries of the page that this piece has ended. The other held deliveries were locked
    by another transaction, so the next piece examines them again.
    """
    messages = [(message_id, list(rows)) for message_id, rows in groupby(page, lambda row: row.message_id)]
    progress: list[CancellationProgress] = []
    for number, (message_id, rows) in enumerate(messages, start=1):
        skipped = [row.seq for row in rows if row.is_held and row.seq is not None and row.delivery_id not in ended]
        pending_after = None
        if skipped:
            pending_after = skipped[0] - 1
        elif number == len(messages) and len(page) == page_max:  # the last message may have more deliveries
            pending_after = rows[-1].seq
        progress.append(CancellationProgress(message_id, pending_after))
    return progress
