"""Queue words: what happens to waiting messages when phones or a package are removed."""

from collections.abc import Collection

from console.core import formats
from console.core.queue import ApiQueue


def removal_words(package_name: str, queue: ApiQueue | None, removed: Collection[str], total: int) -> str:
    """`removed`: the ids of the phones to remove. `total`: how many phones the package has now. `queue`: None if the
    number of waiting messages is not known."""
    left = total - len(removed)
    held = None if queue is None else sum(pace.held for pace in queue.profiles if pace.profile_id in removed)
    if held == 0:
        return f"Nothing waits with {'it' if len(removed) == 1 else 'them'} in “{package_name}”. The history stays."
    whose = "Its" if len(removed) == 1 else "Their"
    waiting = f"{whose} waiting messages" if held is None else formats.plural(held, "waiting message")
    if left > 0:
        others = "the other phone" if left == 1 else f"the other {left} phones"
        return f"{waiting} will go to {others} of “{package_name}”. The history stays."
    lost = f"“{package_name}” then has no phone. {waiting} will never be sent."
    return f"{lost} New messages are refused until you add a phone."


def package_removal_words(queue: ApiQueue | None, phones: int) -> str:
    """What the removal of a whole package does."""
    held = None if queue is None else queue.held
    waiting = "All waiting messages" if held is None else formats.plural(held, "waiting message")
    fate = "Nothing waits in it. " if held == 0 else f"{waiting} will be cancelled. "
    also = f"Its {formats.plural(phones, 'phone')} will be removed too. " if phones else "It has no phones. "
    return f"{also}{fate}Reports keep what was sent. This cannot be undone."
