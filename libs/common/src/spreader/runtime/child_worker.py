"""Child worker: the program of a child process, which calls functions with bytes, one after the other.

It reads pickled functions and their bytes from its standard input. It writes to its standard output, pickled, whether
each call succeeded, and its result or error. Before each of these parts comes its length. At the start the worker
imports the modules that its command names, and writes LOADED. It ends when its input ends, so it never outlives its
parent.
"""

import importlib
import os
import pickle
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

LENGTH_BYTES = 8
LOADED = bytes(LENGTH_BYTES)
NICENESS = 5
"""How much this process gives way to others when processors are scarce."""


def frame(content: bytes | bytearray) -> bytes:
    """The length of the content, as it comes before the content."""
    return len(content).to_bytes(LENGTH_BYTES)


def serve(calls: BinaryIO, results: BinaryIO) -> None:
    """Call each function until there are no more."""
    results.write(LOADED)
    results.flush()
    while (function := _read(calls)) is not None and (argument := _read(calls)) is not None:
        result = pickle.dumps(_result(function, argument), pickle.HIGHEST_PROTOCOL)
        del function, argument
        results.write(frame(result))
        results.write(result)
        results.flush()


def _read(calls: BinaryIO) -> bytes | None:
    """The next part of a call. None if the input has ended."""
    length = calls.read(LENGTH_BYTES)
    content = calls.read(int.from_bytes(length))
    return content if len(length) == LENGTH_BYTES and len(content) == int.from_bytes(length) else None


def _result(function: bytes, argument: bytes) -> tuple[bool, Any]:
    try:
        call: Callable[[bytes], Any] = pickle.loads(function)  # noqa: S301  # from the parent of this process
        return True, call(argument)
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too, but its parent ends it
    os.nice(NICENESS)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a function prints is not a result
    for module in sys.argv[1:]:
        importlib.import_module(module)
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent ended while this process worked
