"""Setup: what `make setup` fetches beforehand, so that `make up` and the tests need not."""

from local.archive import fetch_kafka
from local.unavailable import Unavailable
from local.view import View


def setup() -> int:
    """Always 0: without Kafka the system can still be tried, and `make up` says so."""
    try:
        fetch_kafka()
    except Unavailable as reason:
        View.of_this_process().say(f"no Kafka on this machine yet: {reason}", level="warning")
    return 0
