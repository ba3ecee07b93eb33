"""Access: what each service reads and writes in Kafka, and the rules (ACLs) that allow exactly this.

`tests/test_access.py` compares the table with the code of the services, so a service that reads or publishes another
event needs a new line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spreader.contract.events import (
    DEAD_LETTER_TOPIC,
    PARTITIONS,
    Alert,
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    ErasureReported,
    Event,
    MessageCancelled,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    PackageConfigured,
    ProfilePace,
    ProfileReported,
    ProfileState,
    RecipientErased,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
    ReplySettled,
)

Operation = Literal["Read", "Write", "Describe", "Create", "DescribeConfigs", "AlterConfigs"]
"""An operation, as Kafka's own tools and Strimzi call it. Read and Write include Describe."""
Resource = Literal["topic", "group"]
OPERATOR = "operator"
"""The user of `python -m spreader topics` and `python -m spreader replay`."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one service reads and writes. Every service may write dead letters. No service uses transactions."""

    reads: tuple[type[Event], ...]
    writes: tuple[type[Event], ...]
    groups: tuple[str, ...]
    """Its consumer groups."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A user may do these operations with the resource of exactly this name."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]


ACCESS: Mapping[str, Access] = {
    "ingress": Access(
        reads=(
            OpenMessageRequested,
            ReplyMessageRequested,
            OpenDeliveriesAssigned,
            OpenDeliveriesWaiting,
            ReplyDeliveryAssigned,
            DeliveryReleased,
            DeliveryOutcome,
            ErasureReported,
            PackageConfigured,
            ProfileState,
            MessageRouted,
            ReplySettled,
        ),
        writes=(
            OpenMessageRequested,
            ReplyMessageRequested,
            DeliveryOutcome,
            ProfileReported,
            CustomerMessage,
            MessageCancelled,
            ConsentChanged,
            RecipientErased,
            PackageConfigured,
        ),
        groups=("ingress",),
    ),
    "router": Access(
        reads=(
            OpenMessageRequested,
            ReplyMessageRequested,
            DeliveryReturned,
            DeliveryOutcome,
            CustomerMessage,
            ConsentChanged,
            RecipientErased,
            PackageConfigured,
            ProfileState,
            ProfilePace,
        ),
        writes=(
            OpenDeliveriesAssigned,
            OpenDeliveriesWaiting,
            ReplyDeliveryAssigned,
            DeliveryReturned,
            DeliveryOutcome,
            ErasureReported,
            MessageRouted,
            ReplySettled,
        ),
        groups=("router",),
    ),
    "pacer": Access(
        reads=(
            OpenDeliveriesAssigned,
            OpenDeliveriesWaiting,
            DeliveryOutcome,
            CustomerMessage,
            MessageCancelled,
            ConsentChanged,
            RecipientErased,
            PackageConfigured,
            ProfileState,
        ),
        writes=(DeliveryReleased, DeliveryReturned, DeliveryOutcome, ErasureReported, ProfilePace),
        groups=("pacer",),
    ),
    "sender": Access(
        reads=(
            ReplyDeliveryAssigned,
            DeliveryReleased,
            DeliveryOutcome,
            MessageCancelled,
            ConsentChanged,
            RecipientErased,
            PackageConfigured,
        ),
        writes=(DeliveryReturned, DeliveryOutcome, ProfileReported, ErasureReported, ReplySettled),
        groups=("sender-reply", "sender-open", "sender-receipts"),
    ),
    "stats": Access(
        reads=(
            DeliveryOutcome,
            ProfileReported,
            CustomerMessage,
            RecipientErased,
            PackageConfigured,
            ProfileState,
            Alert,
        ),
        writes=(ErasureReported, ProfileState, Alert),
        groups=("stats",),
    ),
}
"""Console and simulator use no Kafka."""

_OF_OPERATOR: tuple[Operation, ...] = ("Read", "Write", "Create", "DescribeConfigs", "AlterConfigs")


def rules(user: str) -> tuple[Rule, ...]:
    """The rules for a service, or for OPERATOR. Raises KeyError for any other name."""
    if user == OPERATOR:
        return tuple(Rule("topic", topic, _OF_OPERATOR) for topic in PARTITIONS)
    access = ACCESS[user]
    read, written = {kind.topic for kind in access.reads}, {kind.topic for kind in access.writes}
    written.add(DEAD_LETTER_TOPIC)
    topics = [
        Rule("topic", topic, (*(("Read",) if topic in read else ()), *(("Write",) if topic in written else ())))
        for topic in PARTITIONS
        if topic in read | written
    ]
    return (*topics, *(Rule("group", group, ("Read",)) for group in access.groups))


USERS: tuple[str, ...] = (*ACCESS, OPERATOR)
