"""Theme: the style sheet, fonts, icons and chart colours of every page."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

from markupsafe import Markup

MOUNT = "/theme"

Colours = Literal["auto", "light", "dark"]
COLOURS_COOKIE = "spreader_colours"

_SHEET = files("console").joinpath("theme/console.css").read_text()
_VERSION = hashlib.sha256(_SHEET.encode()).hexdigest()[:8]

HEAD = Markup(  # noqa: S704 - of our own constants
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    f'<link rel="preload" href="{MOUNT}/inter.woff2" as="font" type="font/woff2" crossorigin>'
    f'<link rel="stylesheet" href="{MOUNT}/console.css?{_VERSION}">'
)
LOGO = Markup(
    '<svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9" fill="currentColor"/>'
    '<g fill="none" stroke="#fff" stroke-width="2.2" stroke-linecap="round">'
    '<path d="M9 16h5"/><path d="M14 16c4 0 4-6 9-6"/><path d="M14 16h9"/><path d="M14 16c4 0 4 6 9 6"/></g>'
    '<circle cx="8.5" cy="16" r="2.2" fill="#fff"/></svg>'
)


def colours(cookie: str | None) -> Colours:
    """The operator's choice of colours. `auto` means the choice of the operator's computer, light or dark."""
    return cookie if cookie in ("light", "dark") else "auto"


def icon(name: str) -> Markup:
    """A decorative icon beside a word. Screen readers skip the icon."""
    return Markup(  # noqa: S704 - names are our own constants
        f'<svg class="icon" aria-hidden="true" focusable="false"><use href="{MOUNT}/icons.svg#{name}"/></svg>'
    )


FAVICON = (
    str(LOGO)
    .replace('fill="currentColor"', 'fill="#0b7a6b"')
    .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
)

SERIES: Mapping[str, str] = {
    "sent": "#0d9488", "delivered": "#3b82f6", "read": "#8b5cf6", "failed": "#e0483e", "received": "#d08a14",
    "now": "#94a3b8", "then": "#0d9488",
}  # fmt: skip
"""The colour of each kind of count in charts.

People with red-green blindness can distinguish these colours, on light and on dark backgrounds.
"""
PROFILES = ("#0d9488", "#3b82f6", "#d08a14", "#8b5cf6", "#db5a8a", "#64748b", "#84a816", "#0ea5c6")
