"""Elements: functions that create the NiceGUI elements of pages, such as markup, boxes and buttons."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element


def html(content: Markup, tag: str = "div") -> ui.html:
    """An element with markup of `core/markup`. NiceGUI need not sanitize the markup, because its texts are escaped
    already."""
    return ui.html(content, sanitize=False, tag=tag)


def stack(classes: str = "stack") -> Element:
    return Element("div").classes(classes)


def button(text: str, on_click: Callable[..., Any], kind: str = "") -> ui.button:
    return ui.button(text, on_click=on_click, color=None).props("flat no-caps").classes(f"button {kind}")
