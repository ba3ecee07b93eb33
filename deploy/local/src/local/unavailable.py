"""Unavailable: why something cannot be had on this machine, in one sentence that says what to do."""


class Unavailable(Exception):
    """Shown to the user as it is: no stack trace helps with a missing program, a port in use or a full disk."""
