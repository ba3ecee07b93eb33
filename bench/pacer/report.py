"""Report: a run of the pacer's bench, compared with its aims and its peers, as text and as JSON."""

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figures import Pair, p99
from bench.pacer.measurements import Measurements, SizeResult
from bench.pacer.peers.peer import PeerResult
from bench.report import RESULTS, Machine, rows_of_text

RELEASES_RATIO_MIN = 0.9
LATE_P99_MS_MAX = 1_000.0
RESTART_SECONDS_MAX = 10.0
MEMORY_RATIO_MAX = 1.1
STATEMENTS_SHOWN = 12

Row = tuple[str, str, str, str]


def against_the_aims(found: Measurements) -> list[str]:
    rows: list[Row] = [("what", "measured", "aim", "met"), _intake(found)]
    if found.releases:
        rows += _releases(found)
    if found.sizes:
        rows += _lateness(found)
    if found.restart_seconds:
        seconds = statistics.median(found.restart_seconds)
        each = " ".join(f"{each:.1f}" for each in found.restart_seconds)
        what = f"from nothing to the first release at {found.large:,} held"
        aim = f"under {RESTART_SECONDS_MAX:g} s"
        rows.append((what, f"{seconds:.1f} s ({each})", aim, _met(seconds < RESTART_SECONDS_MAX)))
    return rows_of_text(rows)


def _intake(found: Measurements) -> Row:
    ratios = [pair.ratio for pair in found.intake]
    ours, bare = (_median(pair[half] for pair in found.intake) for half in (0, 1))
    measured = (
        f"{statistics.median(ratios):.2f} ({ours} of {bare} rows/s; first tenth {ratios[0]:.2f}, last {ratios[-1]:.2f})"
    )
    return "intake, of bare COPY into the same table", measured, "measured", "-"


def _releases(found: Measurements) -> list[Row]:
    sizes = f"at {found.large:,} held, of those at {found.small:,}"
    ratio = statistics.median(pair.ratio for pair in found.releases)
    ours, bare = (_median(pair[half] for pair in found.releases) for half in (0, 1))
    rows = [
        (
            f"releases a second {sizes}",
            f"{ratio:.2f} ({ours} of {bare}; rounds {_ratios(found.releases)})",
            f"{RELEASES_RATIO_MIN:g} or more",
            _met(ratio >= RELEASES_RATIO_MIN),
        )
    ]
    if found.release_cpu_ms:
        ratio = statistics.median(pair.ratio for pair in found.release_cpu_ms)
        ours, bare = (statistics.median(pair[half] for pair in found.release_cpu_ms) for half in (0, 1))
        measured = f"{ratio:.2f} ({ours:.2f} of {bare:.2f} ms; rounds {_ratios(found.release_cpu_ms)})"
        rows.append((f"CPU of one release {sizes}", measured, "does not grow", "-"))
    return rows


def _lateness(found: Measurements) -> list[Row]:
    few, many = min(found.sizes, key=_held), max(found.sizes, key=_held)
    late, memory = many.late_ms, many.own_mebibytes / few.own_mebibytes
    return [
        (
            f"lateness at {many.held:,} held, due until published",
            f"median {late['median']:.0f} ms, p99 {late['p99']:.0f} ms, {many.per_second:.0f} due a second",
            f"p99 under {LATE_P99_MS_MAX:,.0f} ms",
            _met(late["p99"] < LATE_P99_MS_MAX),
        ),
        (
            f"memory at {many.held:,} held, of that at {few.held:,}",
            f"{memory:.2f} ({many.own_mebibytes:.0f} of {few.own_mebibytes:.0f} MiB, {found.profiles:,} profiles)",
            f"{MEMORY_RATIO_MAX:g} or less",
            _met(memory <= MEMORY_RATIO_MAX),
        ),
    ]


def beside_the_peers(found: Measurements) -> list[str]:
    """The lines that compare the pacer with its peers. The pacer's scheduling rate is its intake rate. For a size of up
    to a tenth of the large number, it is the rate in the first tenth of the intake. For a larger size, it is the median
    of all tenths."""
    rows = [("queue", "held", "scheduled/s", "late: median", "p99", "ran in time", "its process", "the server")]
    rows += [_ours(size, found) for size in sorted(found.sizes, key=_held)]
    rows += [_theirs(seen) for seen in found.peers]
    return rows_of_text(rows)


def write(name: str, machine: Machine, seconds: float, found: Measurements) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>.md`."""
    RESULTS.mkdir(exist_ok=True)
    as_json, as_text = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    content = {"machine": asdict(machine), "seconds": round(seconds, 1), "found": _plain(found)}
    as_json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    lines = [
        f"# Bench {name}",
        "",
        f"{machine.line}, {seconds:.0f} s",
        "",
        *against_the_aims(found),
        "",
        f"Load averages when the parts began: {', '.join(f'{part} {load:g}' for part, load in found.load.items())}.",
        "",
        "## Beside peers",
        "",
        *beside_the_peers(found),
        "",
        *(f"- {each}" for each in found.missing),
        "",
        "## Statements",
        "",
        *_statements(found),
        "",
        "How to read it: README.md.",
    ]
    as_text.write_text("\n".join(lines) + "\n")
    return as_json, as_text


def summary(seen: PeerResult) -> str:
    late = f"late by {statistics.median(seen.late):.0f} ms, p99 {p99(seen.late):.0f} ms" if seen.late else "none ran"
    return (
        f"{seen.scheduled_per_second:,.0f} scheduled a second, {late}, {len(seen.late)} of {seen.expected}, "
        f"{seen.worker_mebibytes:.0f} MiB"
    )


def _ours(size: SizeResult, found: Measurements) -> tuple[str, ...]:
    rate = found.intake[0].ours if size.held <= found.large // 10 else statistics.median(p.ours for p in found.intake)
    return (
        "pacer",
        f"{size.held:,}",
        f"{rate:,.0f}",
        f"{size.late_ms['median']:,.0f} ms",
        f"{size.late_ms['p99']:,.0f} ms",
        f"{size.late_ms['count']:,.0f} of {size.late_ms['count'] + size.overdue:,.0f}",
        f"{size.own_mebibytes:,.0f} MiB",
        f"{size.postgres_mebibytes:,.0f} MiB",
    )


def _theirs(seen: PeerResult) -> tuple[str, ...]:
    median, late = (f"{statistics.median(seen.late):,.0f} ms", f"{p99(seen.late):,.0f} ms") if seen.late else ("-", "-")
    return (
        seen.name,
        f"{seen.held:,}",
        f"{seen.scheduled_per_second:,.0f}",
        median,
        late,
        f"{len(seen.late):,} of {seen.expected:,}",
        f"{seen.worker_mebibytes:,.0f} MiB (empty {seen.worker_mebibytes_empty:,.0f})",
        f"{seen.server_mebibytes:,.0f} MiB (empty {seen.server_mebibytes_empty:,.0f})",
    )


def _statements(found: Measurements) -> list[str]:
    """The slowest statements with the large number of held deliveries, and their times with the small number."""
    small, large = found.statements.get("small", {}), found.statements.get("large", {})
    rows = [("statement", f"mean ms, {found.small:,} held", f"mean ms, {found.large:,} held")]
    for name, taken in list(large.items())[:STATEMENTS_SHOWN]:
        rows.append((name, f"{small[name]['mean']:.1f}" if name in small else "-", f"{taken['mean']:.1f}"))
    return rows_of_text(rows)


def _plain(found: Measurements) -> dict[str, Any]:
    plain = asdict(found)
    pairs = {
        name: [pair._asdict() for pair in getattr(found, name)] for name in ("intake", "releases", "release_cpu_ms")
    }
    peers = [
        {
            **{name: value for name, value in peer.items() if name != "late"},
            "ran": len(seen.late),
            "late_ms": {"median": statistics.median(seen.late), "p99": p99(seen.late)} if seen.late else None,
        }
        for peer, seen in zip(plain["peers"], found.peers, strict=True)
    ]
    return {**plain, **pairs, "peers": peers}


def _ratios(pairs: Iterable[Pair]) -> str:
    return " ".join(f"{pair.ratio:.2f}" for pair in pairs)


def _held(size: SizeResult) -> int:
    return size.held


def _median(values: Iterable[float]) -> str:
    return f"{statistics.median(values):,.0f}"


def _met(yes: bool) -> str:
    return "met" if yes else "NOT met"
