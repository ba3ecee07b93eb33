"""Collector: sets Python's garbage collector so that it does not stop a service that is ready."""

import gc

THRESHOLDS = (10_000, 20, 50)
"""When the garbage collector runs. It collects the youngest generation of objects after 10,000 new objects. It
collects the middle one after 20 collections of the youngest, and the oldest after 50 collections of the middle one.
`python -m bench collector` measures this and other choices."""


def spare_the_start() -> None:
    """Collect once, and let later collections skip all objects that the start has made.

    A collection of the oldest generation visits every object that the collector knows, and no other code runs in that
    time. Most objects of a service belong to modules, schemas and tables, which live as long as the service.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
