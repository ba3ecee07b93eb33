"""The words of `python -m local`."""

import sys

from local.demo import demo
from local.setup import setup
from local.up import up

WORDS = {"setup": setup, "up": up, "demo": demo}


def main() -> int:
    word = sys.argv[1] if len(sys.argv) == 2 else ""
    if word not in WORDS:
        print(f"usage: python -m local {'|'.join(WORDS)}", file=sys.stderr)
        return 2
    return WORDS[word]()


if __name__ == "__main__":
    sys.exit(main())
