"""Markup: pieces of HTML as values; every text is escaped where it goes in."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Child = Markup | str | int | None
_VOID = {"input", "br", "hr", "img", "path", "circle", "line", "polyline", "rect"}


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str | int | bool | None) -> Markup:
    """An element. `class_` is written `class`, `data_testid` is written `data-testid`; None and False are left out."""
    shown = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{shown}>")  # noqa: S704 - all of it is escaped
    return Markup(f"<{name}{shown}>{together(*children)}</{name}>")  # noqa: S704


def together(*children: Child | Iterable[Child]) -> Markup:
    """One after the other."""
    pieces: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, str | int):
            pieces.append(str(escape(child)))
        else:
            pieces.extend(str(escape(each)) for each in child if each is not None)
    return Markup("".join(pieces))  # noqa: S704


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(value)}"'
