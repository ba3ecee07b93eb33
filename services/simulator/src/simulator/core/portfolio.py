"""Portfolio: the customers whom all numbers of one business wrote to in 24 hours outside their windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SPAN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Portfolio:
    users: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """When each was first written to, within the span."""

    def take(self, phone: str, users_max: int, now: datetime) -> "Portfolio | None":
        """With this customer; None: there are as many others as there may be."""
        users = {each: at for each, at in self.users.items() if at > now - SPAN}
        if phone not in users and len(users) >= users_max:
            return None
        return Portfolio({phone: now, **users})
