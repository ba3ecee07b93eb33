"""Markup: functions that build HTML fragments. They escape every text that they insert."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Child = Markup | str | int | None
_VOID = {"input", "br", "hr", "img", "path", "circle", "line", "polyline", "rect"}


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str | int | bool | None) -> Markup:
    """An HTML element. The attribute `class_` becomes `class`, and `data_testid` becomes `data-testid`.

    Attributes with the value None or False are left out.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{shown}>")  # noqa: S704 - all of it is escaped
    return Markup(f"<{name}{shown}>{join(*children)}</{name}>")  # noqa: S704


def join(*children: Child | Iterable[Child]) -> Markup:
    """One fragment with all children in their order. Children that are None are left out."""
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
