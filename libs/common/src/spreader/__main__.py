"""Commands for operating a deployment.

- `python -m spreader topics` creates the missing Kafka topics and completes the settings of the existing ones.
- `python -m spreader key` prints a new key for SPREADER_SECRET_KEYS.
- `python -m spreader replay` lists the dead letters. With `--send` it also publishes them to their topics again.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime

import structlog

from spreader.contract.events import PARTITIONS
from spreader.kafka.client import BROKER_ERRORS
from spreader.kafka.dead_letter_replay import ReplayFilter, ReplaySummary, replay
from spreader.kafka.topics import create_topics
from spreader.settings import Settings
from spreader.telemetry.logging import configure_logs
from spreader.vault import new_key

log = structlog.get_logger()


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.command == "key":
        _print(new_key())
        return
    settings = Settings()
    configure_logs(settings.log_level)
    try:
        _run_on_kafka(arguments, settings)
    except BROKER_ERRORS as error:
        raise SystemExit(
            f"Kafka at {settings.kafka_bootstrap_servers} failed ({type(error).__name__}). Check that it is running "
            "and that SPREADER_KAFKA_BOOTSTRAP_SERVERS names it, then run this command again: it skips what is done."
        ) from None


def _run_on_kafka(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.command == "replay":
        wanted = ReplayFilter(arguments.topic, arguments.group, arguments.reason, arguments.since, arguments.until)
        _print(_report(asyncio.run(replay(settings, wanted, _print, arguments.send)), arguments.send))
        return
    created = asyncio.run(create_topics(settings, arguments.replication))
    log.info("all topics exist", created=created)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spreader")
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("key", help="print a new key for SPREADER_SECRET_KEYS")
    topics = commands.add_parser("topics", help="create the missing topics; complete the settings of the others")
    topics.add_argument("--replication", type=int, default=1, help="copies of each record (3 in production)")
    letters = commands.add_parser("replay", help="list the dead letters; with --send, publish them again")
    letters.add_argument("--topic", choices=sorted(PARTITIONS), metavar="TOPIC", help="only records of this topic")
    letters.add_argument("--group", help="only records that failed in this consumer group")
    letters.add_argument("--reason", help="only records whose reason contains this text")
    letters.add_argument("--since", type=_time, help="only dead letters from this time on: 2026-03-01T12:00 (UTC)")
    letters.add_argument("--until", type=_time, help="only dead letters before this time")
    letters.add_argument("--send", action="store_true", help="publish each record once; without it, only list them")
    return parser


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write it like 2026-03-01T12:00 (UTC)") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _report(summary: ReplaySummary, sent: bool) -> str:
    action = "replayed" if sent else "would be replayed (add --send to do it)"
    lines = [
        f"{summary.selected} {action}, {summary.already_replayed} were replayed before, "
        f"{summary.filtered_out} do not match the filter"
    ]
    if summary.unknown_topic:
        lines.append(f"{summary.unknown_topic} name no topic of Spreader and cannot be replayed")
    if summary.without_body:
        lines.append(f"{summary.without_body} were too large to be kept as dead letters and cannot be replayed")
    if summary.ended:
        lines.append(
            f"{summary.ended} are not replayed, because their deliveries have ended: send these as new messages"
        )
    return "\n".join(lines)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
