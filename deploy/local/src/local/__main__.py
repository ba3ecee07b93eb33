"""The commands of `python -m local`, which `make` calls."""

import sys

from local.demo import demo
from local.servers.class_archive import prepare_kafka
from local.unavailable import Unavailable
from local.up import up
from local.view import View


def setup() -> int:
    """Download Kafka, so that `make up` and the tests need not download it. Returns 0 even if the download fails,
    because `make up` reports the failure later."""
    try:
        prepare_kafka()
    except Unavailable as reason:
        View.of_this_process().log(f"no Kafka on this machine yet: {reason}", level="warning")
    return 0


COMMANDS = {"setup": setup, "up": up, "demo": demo}


def main() -> int:
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    if command not in COMMANDS:
        print(f"usage: python -m local {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    return COMMANDS[command]()


if __name__ == "__main__":
    sys.exit(main())
