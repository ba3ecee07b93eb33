"""Places: headings and titles say where an operator is, and no class of ours changes a part of Quasar."""

import re
from importlib.resources import files
from pathlib import Path

import nicegui
import pytest

from console.core.words.places import tab_title


@pytest.mark.parametrize(
    ("path", "package", "alerts", "title"),
    [
        ("/", "", 0, "Packages · Spreader"),
        ("/alerts", "", 3, "(3) Alerts · Spreader"),
        ("/packages/shop", "Demo", 0, "Live · Demo · Spreader"),
        ("/packages/shop/settings", "Demo", 1, "(1) Settings · Demo · Spreader"),
        ("/packages/shop/messages/msg_1", "Demo", 0, "Message · Demo · Spreader"),
        ("/packages/shop/profiles/demo-4", "Demo", 0, "Phone · Demo · Spreader"),
        ("/nowhere", "", 0, "Page not found · Spreader"),
    ],
)
def test_the_title_of_the_tab_says_where_one_is(path: str, package: str, alerts: int, title: str) -> None:
    assert tab_title(path, package, alerts) == title


def test_no_class_of_ours_is_one_of_quasar() -> None:
    """Our class `column` moved every notification out of the window. Only `scroll` is shared, and does the same."""
    (sheet,) = (Path(nicegui.__file__).parent / "static").glob("quasar.unimportant.prod.css")
    ours, quasar = (
        {name for name in re.findall(r"\.([a-zA-Z][\w-]*)(?=[^{}]*\{)", text) if not name.startswith("q-")}
        for text in (files("console").joinpath("theme/console.css").read_text(), sheet.read_text())
    )
    assert ours & quasar == {"scroll", "body--dark"}
