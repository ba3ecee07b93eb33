"""Recipients: whom a message goes to, each once, cut into the records that Kafka carries."""

from collections.abc import Sequence


def unique(recipients: Sequence[str]) -> tuple[str, ...]:
    """The recipients without repeats, in the order in which they were first named."""
    return tuple(dict.fromkeys(recipients))


def chunks(recipients: Sequence[str], size: int) -> list[tuple[int, tuple[str, ...]]]:
    """Pieces of at most `size`, each with the index of its first recipient."""
    return [(start, tuple(recipients[start : start + size])) for start in range(0, len(recipients), size)]
