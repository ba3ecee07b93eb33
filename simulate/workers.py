"""Workers: the processes that simulate packages. Their number does not change the result."""

import gc
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from simulate.fleet import Fleet
from simulate.study import Study, study
from simulate.year import year


def study_package(fleet: Fleet, number: int) -> list[Study]:
    gc.disable()  # a package makes no reference cycles, so there is nothing to collect
    try:
        return [study(ledger) for ledger in year(fleet, number)]
    finally:
        gc.enable()


def study_packages(fleet: Fleet, workers: int) -> Iterator[list[Study]]:
    """The studies of each package, in order of the packages."""
    work = partial(study_package, fleet)
    if workers == 1:
        yield from map(work, range(fleet.packages))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(work, range(fleet.packages))
