"""Commands of a deployment.

`python -m spreader topics` creates Kafka's topics; `python -m spreader key` prints a new key for SPREADER_SECRET_KEYS;
`python -m spreader replay` shows what lies in the dead letter, and with `--send` sends it to its topics again.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

import structlog

from spreader.contract.events import PARTITIONS
from spreader.kafka.client import BROKER_ERRORS, create_topics
from spreader.kafka.dead_letter_replay import ReplayFilter, Summary, replay
from spreader.settings import Settings
from spreader.telemetry.logging import configure_logs
from spreader.vault import new_key

log = structlog.get_logger()


def main() -> None:
    asked = _parser().parse_args()
    if asked.command == "key":
        _print(new_key())
        return
    settings = Settings()
    configure_logs(settings.log_level)
    try:
        _on_kafka(asked, settings)
    except BROKER_ERRORS as error:
        raise SystemExit(
            f"Kafka at {settings.kafka_bootstrap_servers} did not do it ({type(error).__name__}). What was done before "
            "stays done. Look whether SPREADER_KAFKA_BOOTSTRAP_SERVERS names it and whether it runs, and say it again."
        ) from None


def _on_kafka(asked: argparse.Namespace, settings: Settings) -> None:
    if asked.command == "replay":
        wanted = ReplayFilter(asked.topic, asked.group, asked.reason, asked.since, asked.until)
        _print(_told(asyncio.run(replay(settings, wanted, _print, asked.send)), asked.send))
        return
    created = asyncio.run(create_topics(settings, asked.replication))
    log.info("the topics are there", created=created)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spreader")
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("key", help="print a new key for SPREADER_SECRET_KEYS")
    topics = commands.add_parser("topics", help="create the topics that are not there yet")
    topics.add_argument("--replication", type=int, default=1, help="brokers that hold each record (3 in production)")
    again = commands.add_parser("replay", help="show what lies in the dead letter; with --send, send it again")
    again.add_argument("--topic", choices=sorted(PARTITIONS), metavar="TOPIC", help="only what came from this topic")
    again.add_argument("--group", help="only what this group buried")
    again.add_argument("--reason", help="only what has this in its reason")
    again.add_argument("--since", type=_moment, help="only what was buried from then on: 2026-03-01T12:00 (UTC)")
    again.add_argument("--until", type=_moment, help="only what was buried before")
    again.add_argument("--send", action="store_true", help="send it again, each record once; else only show it")
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment: write it like 2026-03-01T12:00 (UTC)") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _told(summary: Summary, sent: bool) -> str:
    done = "sent again" if sent else "would be sent again (nothing was: add --send)"
    lines = [f"{summary.wanted} {done}, {summary.done_before} were before, {summary.passed_over} are not asked for"]
    if summary.without_a_topic:
        lines.append(f"{summary.without_a_topic} name no topic of ours and cannot be sent anywhere")
    return "\n".join(lines)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
