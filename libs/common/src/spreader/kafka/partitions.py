"""Partitions: the partition of a key, which does not change when an operator adds partitions to a topic."""

from aiokafka.partitioner import murmur2

from spreader.contract.events import PARTITIONS


def partition_of(topic: str, key: bytes | None) -> int | None:
    """The partition of records with this key. None: any partition will do.

    It is the partition that Kafka's own clients choose in a topic with as many partitions as we create. Partitions that
    an operator adds stay empty. Otherwise a key would move to another partition, and its newer records could be read
    before its older ones.
    """
    count = PARTITIONS.get(topic)
    if key is None or count is None:
        return None
    return (int(murmur2(key)) & 0x7FFFFFFF) % count
