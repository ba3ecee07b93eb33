"""Crew: the processes that run packages, each by itself, so that the result is the same for any number of them."""

import gc
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from simulate.fleet import Fleet
from simulate.study import Study, study
from simulate.year import year


def package(fleet: Fleet, number: int) -> list[Study]:
    gc.disable()  # what a package makes has no cycles; what goes with a package goes at once
    try:
        return [study(ledger) for ledger in year(fleet, number)]
    finally:
        gc.enable()


def studies(fleet: Fleet, workers: int) -> Iterator[list[Study]]:
    """Package by package, in order, however many work at it."""
    work = partial(package, fleet)
    if workers == 1:
        yield from map(work, range(fleet.packages))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, range(fleet.packages))
