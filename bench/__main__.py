"""Command: `python -m bench` measures a system of its own beside the bare limits and keeps the run."""

import argparse
import asyncio
import signal
import sys
import time

from bench.accepting import Accepting
from bench.child import Failed
from bench.console.command import main as console
from bench.figures import Figure
from bench.log import Log
from bench.pacer.command import main as pacer
from bench.progress import Progress
from bench.replies import Replies
from bench.report import Machine, keep, table
from bench.router.command import main as router
from bench.sender.command import main as sender
from bench.stats.command import main as stats
from bench.system import running

PARTS = ("replies", "singles", "large")
ALONE = {"console": console, "pacer": pacer, "router": router, "sender": sender, "stats": stats}


async def measure(parts: list[str], progress: Progress) -> list[Figure]:
    """Replies first: later the pacer has a queue, and theirs is the idle system."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    progress.say("starting a system of its own ...")
    async with running() as system, Log(system.kafka) as log:
        await system.furnish()
        accepting = Accepting(system, log, progress)
        measures = {
            "replies": Replies(system, log, progress).figures,
            "singles": accepting.singles,
            "large": accepting.large,
        }
        figures: list[Figure] = []
        for part in PARTS:
            if part in parts:
                progress.say(f"{part}: warming up ...")
                figures += await measures[part]()
        progress.say("stopping ...")
    return figures


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in ALONE:
        return ALONE[sys.argv[1]](sys.argv[2:])
    alone = ", ".join(f"`python -m bench {name}`" for name in ALONE)
    parser = argparse.ArgumentParser(prog="python -m bench", epilog=f"One service alone is measured by {alone}.")
    parser.add_argument("--name", help="what the kept run is called in bench/results (else: date and time)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure these alone")
    asked = parser.parse_args()
    machine, progress = Machine.this(), Progress()
    try:
        figures = asyncio.run(measure(asked.only, progress))
    except Failed as reason:
        progress.say(f"given up: {reason}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress.say("stopped")
        return 130
    kept = keep(asked.name or machine.name, machine, time.monotonic() - progress.began, figures)
    print("\n".join(table(figures)))
    progress.say(f"kept in {' and '.join(str(file) for file in kept)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
