"""Collector: sets Python's garbage collector so that it does not stop a service that is ready."""

import gc

THRESHOLDS = (10_000, 20, 50)
"""New objects before the youngest generation is collected, and collections of each generation before the next older."""


def spare_the_start() -> None:
    """Collect once, and let later collections skip all objects that the start has made.

    A collection of the oldest generation visits every object it knows, and no other code runs meanwhile. Modules,
    schemas and tables are most of the objects of a service and live as long as it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
