"""Commands that a deployment runs once, before the services.

`python -m spreader topics` creates Kafka's topics; `python -m spreader key` prints a new key for SPREADER_SECRET_KEYS.
"""

import argparse
import asyncio
import sys

import structlog

from spreader.kafka import create_topics
from spreader.logs import configure_logs
from spreader.settings import Settings
from spreader.vault import new_key

log = structlog.get_logger()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m spreader")
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("key", help="print a new key for SPREADER_SECRET_KEYS")
    topics = commands.add_parser("topics", help="create the topics that are not there yet")
    topics.add_argument("--replication", type=int, default=1, help="brokers that hold each record (3 in production)")
    asked = parser.parse_args()
    if asked.command == "key":
        sys.stdout.write(f"{new_key()}\n")
        return
    settings = Settings()
    configure_logs(settings.log_level)
    created = asyncio.run(create_topics(settings, asked.replication))
    log.info("the topics are there", created=created)


if __name__ == "__main__":
    main()
