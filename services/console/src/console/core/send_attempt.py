"""Send attempt: the idempotency keys of what an operator sends, and how many batches of it are accepted."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class SendAttempt:
    """The same request keeps its keys, so a repeat after a lost answer sends nothing twice. Any other request begins
    with new keys and with its first batch.

    `new_name`: returns a random text that no other attempt has.
    """

    new_name: Callable[[], str]
    accepted_batches: int = field(default=0, init=False)
    _request: object = field(default=None, init=False)
    _name: str = field(default="", init=False)

    @property
    def key(self) -> str:
        """The idempotency key of the next batch."""
        self._name = self._name or self.new_name()
        return f"console-{self._name}-{self.accepted_batches}"

    def begin(self, request: object) -> None:
        """The operator wants to send this request. It is compared with the one before by value."""
        if request != self._request:
            self.end()
        self._request = request

    def batch_accepted(self) -> None:
        self.accepted_batches += 1

    def end(self) -> None:
        """The request has its end. Even the same request is a new one from now on."""
        self._request, self._name, self.accepted_batches = None, "", 0
