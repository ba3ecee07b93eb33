"""Elements: the two that pages are laid out with: our own markup, and a box."""

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element


def html(content: Markup, tag: str = "div") -> ui.html:
    """Our own markup: it was escaped when it was made."""
    return ui.html(content, sanitize=False, tag=tag)


def stack(classes: str = "stack") -> Element:
    return Element("div").classes(classes)
