"""Markup: HTML fragments as values. Every text is escaped when it is inserted."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Child = Markup | str | int | None
_VOID = {"input", "br", "hr", "img", "path", "circle", "line", "polyline", "rect"}


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str | int | bool | None) -> Markup:
    """An element. `class_` becomes `class`, `data_testid` becomes `data-testid`; None and False are left out."""
    shown = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{shown}>")  # noqa: S704 - all of it is escaped
    return Markup(f"<{name}{shown}>{join(*children)}</{name}>")  # noqa: S704


def join(*children: Child | Iterable[Child]) -> Markup:
    """The children in order; None is left out."""
    fragments: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, str | int):
            fragments.append(str(escape(child)))
        else:
            fragments.extend(str(escape(item)) for item in child if item is not None)
    return Markup("".join(fragments))  # noqa: S704


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(value)}"'
