"""Hops: the table of one reply, step by step, from the figures that `python -m bench profile --keep` wrote."""

import json
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "bench" / "results" / "reply-hops.json"


def table() -> str:
    """The steps, then the processor time of each process, as Markdown."""
    result: dict[str, Any] = json.loads(RESULT.read_text())
    machine, load = result["machine"], result["replies"]
    steps = [f"| {hop['service']} | {hop['what']} | {hop['median']:.1f} | {hop['p99']:.1f} |" for hop in result["hops"]]
    spent: dict[str, float] = result["processor_of_one_reply"]
    names = sorted(spent, key=lambda name: -spent[name])
    return "\n".join(
        (
            f"Measured at {machine['at']} on {machine['cores']} cores, commit {machine['commit']}, load before "
            f"{machine['load_before']}: {load['per_second']:g} replies a second for {load['seconds']:g} s. In ms.",
            "",
            "| service | step | median | p99 |",
            "| --- | --- | --- | --- |",
            *steps,
            "",
            f"| processor time of one reply | {' | '.join(names)} | all |",
            f"| --- |{' --- |' * (len(names) + 1)}",
            f"| ms | {' | '.join(f'{spent[name]:.1f}' for name in names)} | {sum(spent.values()):.1f} |",
        )
    )
