"""Overview of the console: what the card of a package shows."""

import pytest

from console.core.api_models import ApiPackage, ApiPackageFigures
from console.core.overview import cards

SHOP = ApiPackage(package_id="shop", name="Shop", profile_ids=("a", "b", "c"))


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        ({"ok": 2, "blocked": 1}, "1 of 3 blocked"),
        ({"ok": 2, "limited": 1}, "1 limited"),
        ({"ok": 3}, "Active"),
        ({"unknown": 3}, "Unknown"),
        (None, "Unknown"),
    ],
)
def test_a_card_shows_the_figures_of_its_package(counts: dict[str, int] | None, word: str) -> None:
    figures = (
        {}
        if counts is None
        else {
            "shop": ApiPackageFigures(
                package_id="shop", profiles=counts, hour={"sent_open": 5}, day={"sent_open": 50}, open_alerts=7
            )
        }
    )
    (card,) = cards([SHOP], figures, {})
    assert card.status.word == word
    assert card.alerts == (None if counts is None else 7)
    assert [bar.used for bar in card.bars] == ([None, None] if counts is None else [5, 50])
