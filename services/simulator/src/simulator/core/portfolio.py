"""Portfolio: the customers to whom the numbers of one business wrote in the last 24 hours.

Only messages outside a customer's window count (`core/contact`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SPAN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Portfolio:
    users: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Each customer, with the time of the first message to them in the 24 hours."""

    def take(self, phone: str, users_max: int, now: datetime) -> "Portfolio | None":
        """The portfolio with this customer added. None if it has `users_max` other customers already."""
        users = {user: at for user, at in self.users.items() if at > now - SPAN}
        if phone not in users and len(users) >= users_max:
            return None
        return Portfolio({phone: now, **users})
