"""python -m ingress: runs the ingress until it gets SIGTERM or SIGINT. The subcommand `keys` shows which secret keys
are still needed to decrypt credentials."""

import argparse
import asyncio
import sys

import structlog
from sqlalchemy.exc import DBAPIError

from ingress.app import build
from ingress.configuration.key_command import report_keys
from ingress.settings import IngressSettings
from spreader.kafka.client import BROKER_ERRORS
from spreader.runtime.service import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ingress")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("keys", help="show which keys of SPREADER_SECRET_KEYS are still needed; exit with 1 if several")
    arguments, settings = parser.parse_args(), IngressSettings()
    if arguments.command == "keys":
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the report
        sys.exit(0 if _are_old_keys_free(settings) else 1)
    if not settings.api_key:
        sys.exit("SPREADER_API_KEY is not set: no caller could use the API. Set it to a secret of your choice.")
    run(build(settings), settings, settings.ingress_port)


def _are_old_keys_free(settings: IngressSettings) -> bool:
    try:
        return asyncio.run(report_keys(settings))
    except (*BROKER_ERRORS, DBAPIError) as error:
        raise SystemExit(
            f"Kafka or Postgres does not answer ({type(error).__name__}), so nothing is known. Check "
            "SPREADER_KAFKA_BOOTSTRAP_SERVERS and SPREADER_DATABASE_URL, then run this command again."
        ) from None


if __name__ == "__main__":
    main()
