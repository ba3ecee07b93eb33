"""Outbox row: a record that is to be published after the commit that wrote it."""

from collections.abc import Sequence

from spreader.contract.events import COMPACTED
from spreader.kafka.envelope import Envelope


def due(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """What is to be published of these, which are in the order of their commits.

    On a compacted topic a newer record of a key replaces the older: only the newest goes out, so that records of one
    batch, which are written concurrently, cannot overtake each other.
    """
    newest = {(each.topic, each.key): place for place, each in enumerate(envelopes)}
    return [
        each
        for place, each in enumerate(envelopes)
        if each.topic not in COMPACTED or newest[each.topic, each.key] == place
    ]
