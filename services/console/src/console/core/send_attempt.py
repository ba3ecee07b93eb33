"""Send attempt: the idempotency keys of what an operator sends, and how many batches of it are accepted."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class SendAttempt:
    """If an operator repeats a request after its answer was lost, the request keeps its keys. So nothing is sent twice.
    Any other request begins with new keys and with its first batch.

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
        """Begin to send this request. If it equals the request before, continue with the keys and the batch of that
        request."""
        if request != self._request:
            self.end()
        self._request = request

    def batch_accepted(self) -> None:
        self.accepted_batches += 1

    def end(self) -> None:
        """The request has ended. After that, even an equal request is sent as a new one."""
        self._request, self._name, self.accepted_batches = None, "", 0
