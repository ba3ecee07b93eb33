"""Commands for operating a deployment.

- `python -m spreader topics` creates the missing Kafka topics and completes the settings of the existing ones.
- `python -m spreader key` prints a new key for SPREADER_SECRET_KEYS.
- `python -m spreader acls` adds the ACLs with which each service may use only its topics. `--print` only shows them.
- `python -m spreader roles` makes the roles of Postgres with which each service may use only its schema, likewise.
- `python -m spreader migrate` migrates the schemas of the services that are installed here.
- `python -m spreader replay` lists the dead letters. With `--send` it also publishes them to their topics again.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.access import ACCESS
from spreader.contract.events import PARTITIONS
from spreader.kafka.access.acls import PRINCIPAL, add_acls, commands
from spreader.kafka.client import BROKER_ERRORS
from spreader.kafka.dead_letter_replay import ReplayFilter, ReplaySummary, replay
from spreader.kafka.topics import create_topics
from spreader.runtime.migrations.roles import is_role_name, make_roles
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.migrations.sql_roles import OWNER, ROLE, statements_of_roles
from spreader.runtime.postgres import create_engine
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
    if arguments.command in ("roles", "migrate"):
        _run_on_postgres(arguments, settings)
        return
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
    if arguments.command == "acls":
        if arguments.print:
            for line in commands(settings.kafka_bootstrap_servers, arguments.principal):
                _print(line)
            return
        log.info("all ACLs exist", acls=asyncio.run(add_acls(settings, arguments.principal)))
        return
    created = asyncio.run(create_topics(settings, arguments.replication))
    log.info("all topics exist", created=created)


def _run_on_postgres(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.command == "roles" and arguments.print:
        for statement in statements_of_roles(ACCESS, arguments.role, arguments.owner):
            _print(f"{statement};")
        return
    try:
        if arguments.command == "roles":
            role, owner = arguments.role, arguments.owner
            asyncio.run(_on_engine(settings, lambda engine: make_roles(engine, ACCESS, role, owner)))
            log.info("all roles exist", owner=arguments.owner)
        else:
            asyncio.run(_on_engine(settings, lambda engine: _migrate(engine, arguments.service)))
    except (DBAPIError, OSError, TimeoutError) as error:
        reason = getattr(error, "orig", None) or error
        raise SystemExit(
            f"Postgres failed ({type(reason).__name__}: {str(reason).splitlines()[0]}). Check that "
            "SPREADER_DATABASE_URL names it and a role with enough rights, then run this command again: it skips what "
            "is done."
        ) from None


async def _on_engine(settings: Settings, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    engine = create_engine(settings, "command")
    try:
        await work(engine)
    finally:
        await engine.dispose()


async def _migrate(engine: AsyncEngine, services: Sequence[str]) -> None:
    wanted = services or [service for service in ACCESS if find_spec(service) is not None]
    for service in wanted:
        await migrate(engine, service)
    log.info("the schemas have their newest versions", schemas=wanted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spreader")
    subcommands = parser.add_subparsers(required=True, dest="command")
    subcommands.add_parser("key", help="print a new key for SPREADER_SECRET_KEYS")
    topics = subcommands.add_parser("topics", help="create the missing topics; complete the settings of the others")
    topics.add_argument("--replication", type=int, default=1, help="copies of each record (3 in production)")
    acls = subcommands.add_parser("acls", help="add the ACLs of all services; with --print, only show them")
    acls.add_argument("--print", action="store_true", help="only show the commands of Kafka's own tool")
    acls.add_argument("--principal", type=_principal, default=PRINCIPAL, help="how Kafka calls the user {user}")
    roles = subcommands.add_parser("roles", help="make the roles of all services; with --print, only show the SQL")
    roles.add_argument("--print", action="store_true", help="only show the SQL")
    roles.add_argument("--role", type=_role, default=ROLE, help="the role of the service {service}")
    roles.add_argument("--owner", type=_owner, default=OWNER, help="the role that owns the schemas and migrates them")
    migration = subcommands.add_parser("migrate", help="migrate the schemas of the services that are installed here")
    migration.add_argument("service", nargs="*", type=_service, help="only these")
    letters = subcommands.add_parser("replay", help="list the dead letters; with --send, publish them again")
    letters.add_argument("--topic", choices=sorted(PARTITIONS), metavar="TOPIC", help="only records of this topic")
    letters.add_argument("--group", help="only records that failed in this consumer group")
    letters.add_argument("--reason", help="only records whose reason contains this text")
    letters.add_argument("--since", type=_time, help="only dead letters from this time on: 2026-03-01T12:00 (UTC)")
    letters.add_argument("--until", type=_time, help="only dead letters before this time")
    letters.add_argument("--send", action="store_true", help="publish each record once; without it, only list them")
    return parser


def _principal(text: str) -> str:
    if "{user}" not in text or "'" in text:
        raise argparse.ArgumentTypeError(f"{text!r} must contain {{user}}: write it like {PRINCIPAL}")
    return text


def _role(text: str) -> str:
    if "{service}" not in text or not is_role_name(text.replace("{service}", "")):
        raise argparse.ArgumentTypeError(f"{text!r} must contain {{service}}: write it like {ROLE}")
    return text


def _owner(text: str) -> str:
    if not is_role_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a role: use letters, digits, _ and -")
    return text


def _service(text: str) -> str:
    if text not in ACCESS:
        raise argparse.ArgumentTypeError(f"{text!r} has no schema: choose from {', '.join(ACCESS)}")
    return text


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
