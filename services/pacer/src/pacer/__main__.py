"""python -m pacer: runs the pacer until it receives a signal to stop. The subcommand `outcomes` lists the releases
whose outcomes are overdue, and with `--ask` asks the sender for these outcomes."""

import argparse
import asyncio
import sys
from datetime import timedelta

import structlog

from pacer.app import build
from pacer.release.overdue_command import ask_for_outcomes
from pacer.settings import PacerSettings
from spreader.runtime.service import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pacer")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    outcomes = commands.add_parser("outcomes", help="list the releases whose outcomes are overdue")
    outcomes.add_argument("--minutes", type=float, help="overdue after this long (as SPREADER_PACER_OUTCOME_MINUTES)")
    outcomes.add_argument("--ask", action="store_true", help="ask the sender for them now")
    arguments, settings = parser.parse_args(), PacerSettings()
    if arguments.command == "outcomes":
        wait = settings.outcome_wait if arguments.minutes is None else timedelta(minutes=arguments.minutes)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the list
        asyncio.run(ask_for_outcomes(settings, wait, arguments.ask))
    else:
        run(build(settings), settings, settings.pacer_port)


if __name__ == "__main__":
    main()
