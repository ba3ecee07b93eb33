"""Rows: typed rows as parameters of a statement (arrays for `unnest`) and as its result.

A statement that writes many rows takes one array for each column. The names of the columns are written only in the
row's dataclass. From it, `arrays` makes the parameters, and `unnest` makes the FROM item that reads them.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Result

R = TypeVar("R")

_TYPES: dict[Any, str] = {
    str: "text",
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    datetime: "timestamptz",
    timedelta: "interval",
}


def column(sql_type: str, **arguments: Any) -> Any:
    """A dataclass field with its column type, such as `int` or `jsonb`. Use it if the annotation does not show the
    type."""
    return dataclasses.field(metadata={"sql_type": sql_type}, **arguments)


def arrays(kind: type[R], rows: Iterable[R]) -> dict[str, list[Any]]:
    """The parameters of a statement with `unnest(kind, …)`. Each field has one list. The lists are empty if
    there are no rows."""
    listed = list(rows)
    return {name: [getattr(row, name) for row in listed] for name in _column_names(kind)}


def columns(kind: type) -> str:
    """The column list of an INSERT or a SELECT: `profile_id, release`."""
    return ", ".join(_column_names(kind))


def unnest(kind: type, alias: str) -> str:
    """The FROM item that reads the parameters of `arrays` as rows named `alias`.

    `unnest(CAST(:profile_id AS text[]), CAST(:release AS bigint[])) AS alias (profile_id, release)`
    """
    types = _column_types(kind)
    parameters = ", ".join(f"CAST(:{name} AS {sql_type}[])" for name, sql_type in types.items())
    return f"unnest({parameters}) AS {alias} ({', '.join(types)})"


def fetched(kind: type[R], result: Result[Any]) -> Sequence[R]:
    """The rows of a result as objects of `kind`. The statement must select exactly its fields, in any order."""
    names = tuple(result.keys())
    if names == _column_names(kind):
        return [kind(*row) for row in result]
    return [kind(**row) for row in result.mappings()]


@cache
def _column_names(kind: type) -> tuple[str, ...]:
    assert dataclasses.is_dataclass(kind), f"{kind.__name__} is not a dataclass"
    return tuple(field.name for field in dataclasses.fields(kind))


@cache
def _column_types(kind: type) -> dict[str, str]:
    assert dataclasses.is_dataclass(kind), f"{kind.__name__} is not a dataclass"
    hints = get_type_hints(kind)
    return {
        field.name: field.metadata.get("sql_type") or _sql_type(kind, field.name, hints[field.name])
        for field in dataclasses.fields(kind)
    }


def _sql_type(kind: type, name: str, annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not NoneType]
        annotation = members[0] if len(members) == 1 else annotation
    if isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    if get_origin(annotation) is Literal:
        annotation = type(get_args(annotation)[0])
    for python_type in getattr(annotation, "__mro__", (annotation,)):  # a StrEnum is stored as text
        if python_type in _TYPES:
            return _TYPES[python_type]
    raise TypeError(f"{kind.__name__}.{name}: {annotation} has no SQL type; declare it with column('…')")
