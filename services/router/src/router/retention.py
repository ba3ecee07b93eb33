"""Retention: how long the router keeps its decisions, and the conversations of customers."""

from collections.abc import Iterable
from datetime import timedelta

from spreader.contract.age import REMEMBERED
from spreader.contract.configuration import Package
from spreader.runtime.retention import OldRows


def old_rows(keep_conversations: timedelta, packages: Iterable[Package] = ()) -> tuple[OldRows, ...]:
    """For each table, how long a row is kept. Conversations are kept at least for the largest `conversation_days` of
    these packages, because until then they may bind a customer to a profile."""
    binds = (timedelta(days=package.conversation_days) for package in packages)
    keep = max(keep_conversations, *binds, timedelta(0))
    return (
        OldRows("router.routing", "noted_at", REMEMBERED),
        OldRows("router.reassignment", "noted_at", REMEMBERED),
        OldRows("router.conversation", "coalesce(greatest(customer_at, sent_at), begun_at)", keep, is_system_time=True),
        OldRows("router.conversation_move", "at", keep, is_system_time=True),
    )
