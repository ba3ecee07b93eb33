"""Columns: values on their way into a statement, one list for each column, in one fixed order of rows.

Sorted: transactions that meet in some rows take them in the same order, so none waits in a circle.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from stats.core.sums import KINDS, Failures, MinuteBucket, Sums, hour_of, values
from stats.core.tally import Tally

Columns = dict[str, list[Any]]
Key = tuple[str, datetime, str]
"""Whose, when, lane."""


def counts(table: str, tally: Tally) -> Columns:
    """What `tally` adds to one of the tables of counts."""
    merged: dict[Key, Sums] = {}
    packages: dict[Key, str] = {}
    for bucket, sums in tally.added.items():
        key = _key(table, bucket)
        merged[key] = merged[key] + sums if key in merged else sums
        packages.setdefault(key, bucket.package_id)
    keys = sorted(merged)
    return {**_keys(keys, packages), **_sums(merged[key] for key in keys)}


def failures(table: str, added: Failures) -> Columns:
    merged: dict[tuple[str, datetime, str, str], int] = {}
    packages: dict[Key, str] = {}
    for (bucket, failure), count in added.items():
        key = _key(table, bucket)
        merged[*key, failure] = merged.get((*key, failure), 0) + count
        packages.setdefault(key, bucket.package_id)
    rows = sorted(merged)
    return {
        **_keys([(whose, at, lane) for whose, at, lane, _ in rows], packages),
        "failures": [failure for *_, failure in rows],
        "counts": [merged[row] for row in rows],
    }


def messages(tally: Tally) -> Columns:
    merged: dict[tuple[str, str, str], tuple[Sums, str, datetime, datetime]] = {}
    for (message, bucket), sums in tally.messages.items():
        key, at = (message, bucket.profile_id, bucket.lane), bucket.minute
        total, package, first, last = merged.get(key, (Sums(), bucket.package_id, at, at))
        merged[key] = (total + sums, package, min(first, at), max(last, at))
    keys = sorted(merged)
    rows = [merged[key] for key in keys]
    return {
        "messages": [message for message, _, _ in keys],
        "profiles": [profile for _, profile, _ in keys],
        "lanes": [lane for _, _, lane in keys],
        "packages": [package for _, package, _, _ in rows],
        "firsts": [first for _, _, first, _ in rows],
        "lasts": [last for _, _, _, last in rows],
        **_sums(sums for sums, *_ in rows),
    }


def _key(table: str, bucket: MinuteBucket) -> Key:
    whose = bucket.package_id if table.startswith("package") else bucket.profile_id
    return whose, hour_of(bucket.minute) if table.endswith("hour") else bucket.minute, bucket.lane


def _keys(keys: list[Key], packages: Mapping[Key, str]) -> Columns:
    return {
        "whose": [whose for whose, _, _ in keys],
        "ats": [at for _, at, _ in keys],
        "lanes": [lane for _, _, lane in keys],
        "packages": [packages[key] for key in keys],
    }


def _sums(rows: Iterable[Sums]) -> Columns:
    by_kind = list(zip(*map(values, rows), strict=True))
    return {kind: list(column) for kind, column in zip(KINDS, by_kind, strict=True)} if by_kind else {}
