"""Command: `python -m bench` starts a system, measures it beside bare programs, and writes the results."""

import argparse
import asyncio
import signal
import sys
import time

from bench.acceptance import AcceptanceBench
from bench.child import MeasurementError
from bench.collector.command import main as collector
from bench.console.command import main as console
from bench.figures import Figure
from bench.pacer.command import main as pacer
from bench.profile.command import main as profile
from bench.progress import Progress
from bench.replies import ReplyBench
from bench.report import Machine, keep, table
from bench.router.command import main as router
from bench.sender.command import main as sender
from bench.stats.command import main as stats
from bench.system import run_system
from bench.topics import Topics
from bench.turns.command import main as turns

PARTS = ("replies", "singles", "large")
SERVICE_BENCHES = {
    "collector": collector,
    "console": console,
    "pacer": pacer,
    "profile": profile,
    "router": router,
    "sender": sender,
    "stats": stats,
    "turns": turns,
}


async def measure(parts: list[str], progress: Progress) -> list[Figure]:
    """Measure the parts. Replies come first, because they need an idle system, and the other parts fill the pacer's
    queue."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    progress.say("starting a system ...")
    async with run_system() as system, Topics(system.kafka) as topics:
        await system.create_package()
        acceptance = AcceptanceBench(system, topics, progress)
        measures = {
            "replies": ReplyBench(system, topics, progress).figures,
            "singles": acceptance.singles,
            "large": acceptance.large,
        }
        figures: list[Figure] = []
        for part in PARTS:
            if part in parts:
                progress.say(f"{part}: warming up ...")
                figures += await measures[part]()
        progress.say("stopping ...")
    return figures


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in SERVICE_BENCHES:
        return SERVICE_BENCHES[sys.argv[1]](sys.argv[2:])
    commands = ", ".join(f"`python -m bench {name}`" for name in SERVICE_BENCHES)
    parser = argparse.ArgumentParser(prog="python -m bench", epilog=f"One service alone is measured by {commands}.")
    parser.add_argument("--name", help="name of the files in bench/results (default: date and time)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure only these parts")
    options = parser.parse_args()
    machine, progress = Machine.this(), Progress()
    try:
        figures = asyncio.run(measure(options.only, progress))
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress.say("stopped")
        return 130
    kept = keep(options.name or machine.name, machine, time.monotonic() - progress.began, figures)
    print("\n".join(table(figures)))
    progress.say(f"written to {' and '.join(str(file) for file in kept)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
