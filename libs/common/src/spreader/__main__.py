"""Command: what a deployment runs once, before the services: `python -m spreader topics` creates Kafka's topics."""

import argparse
import asyncio

import structlog

from spreader.kafka import create_topics
from spreader.logs import configure_logs
from spreader.settings import Settings

log = structlog.get_logger()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m spreader")
    topics = parser.add_subparsers(required=True).add_parser("topics", help="create the topics that are not there yet")
    topics.add_argument("--replication", type=int, default=1, help="brokers that hold each record (3 in production)")
    asked = parser.parse_args()
    settings = Settings()
    configure_logs(settings.log_level)
    created = asyncio.run(create_topics(settings, asked.replication))
    log.info("the topics are there", created=created)


if __name__ == "__main__":
    main()
