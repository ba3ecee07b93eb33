"""Recent numbers: a learned number saves a statement for some minutes, and is then forgotten."""

from ingress.webhooks.recent_numbers import KEPT_SECONDS, RecentNumbers


def test_a_number_is_forgotten_after_some_minutes() -> None:
    now = 1000.0
    numbers = RecentNumbers(lambda: now)
    numbers.put(("profile", "199@lid"), "201000000011")
    now += KEPT_SECONDS - 1
    assert numbers.get(("profile", "199@lid")) == "201000000011"
    now += 1
    assert numbers.get(("profile", "199@lid")) is None
    now -= 1  # dies if an old number is only hidden and not deleted
    assert numbers.get(("profile", "199@lid")) is None
