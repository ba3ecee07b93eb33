"""Sources: what a service publishes, reads and calls, derived from the syntax of its code.

- *Publishes:* every event that the service constructs, itself or by a function of `_MAKERS`, and those of `_AGAIN`. No
  service constructs an event for another purpose; one that is only read back (`model_validate_json`) does not count.
- *Reads:* every event given to a `GuardedConsumer` or a `Table` (the pacer's are `KnownEvents`), and those of a topic
  that it reads by itself (`TopicPartition(Callback.topic, …)`).
- *Calls:* every service that it has an address for (`<service>_url` in its settings) and names when it makes a client
  or a request. The paths are the first arguments of calls on something named like that service.

Code that these rules cannot follow raises `LookupError`, so the pages are never silently incomplete.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from spreader.contract import events
from spreader.contract.events import EVENTS, Event
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.table import Table

SERVICES = ("ingress", "router", "pacer", "sender", "stats", "console", "simulator")
FOLDER = Path(__file__).parents[1] / "services"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
BY_NAME: Mapping[str, type[Event]] = {
    name: kind for name, kind in vars(events).items() if isinstance(kind, type) and issubclass(kind, Event)
}
_READERS: Mapping[str, tuple[type, str]] = {
    "GuardedConsumer": (GuardedConsumer, "accepts"),
    "Table": (Table, "kind"),
    "KnownEvents": (Table, "kind"),
}
_MAKERS: Mapping[str, str] = {"report_to": "ErasureReported"}
"""Functions of the common library that make an event for the service that calls them."""
_AGAIN: Mapping[str, frozenset[str]] = {"router": frozenset({"DeliveryReturned"})}
"""Events that a service publishes again as it has read them, so its code never constructs them."""
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Route:
    """An address that a service serves: `GET /packages/{package_id}/queue`."""

    method: str
    path: str

    def matches(self, path: str) -> bool:
        parts = zip(self.path.split("/"), path.split("/"), strict=False)
        same_length = self.path.count("/") == path.count("/")
        return same_length and all(ours == theirs or "{" in ours for ours, theirs in parts)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Sources:
    """The syntax trees of one service, by file name; tests may give their own."""

    service: str
    trees: Mapping[str, ast.Module]
    _parents: dict[ast.AST, ast.AST] = field(default_factory=dict[ast.AST, ast.AST], init=False, repr=False)

    def __post_init__(self) -> None:
        for tree in self.trees.values():
            for node in ast.walk(tree):
                self._parents.update(dict.fromkeys(ast.iter_child_nodes(node), node))

    @classmethod
    def of(cls, service: str, texts: Mapping[str, str]) -> "Sources":
        return cls(service, {name: ast.parse(text) for name, text in texts.items()})

    def published(self) -> set[type[Event]]:
        constructed = {name for call in self._calls if (name := _constructed(call)) is not None}
        return {BY_NAME[name] for name in constructed | _AGAIN.get(self.service, frozenset())}

    def read(self) -> set[type[Event]]:
        found: set[type[Event]] = set()
        for call in self._calls:
            if (name := _last_name(call.func)) in _READERS:
                found |= self._events(_argument(call, *_READERS[name]), call)
            elif name == "TopicPartition" and (topic := _topic_of(call)) is not None:
                found |= {kind for kind in EVENTS if issubclass(kind, topic)}
        return found

    def called(self) -> list[str]:
        """Other services that it calls over HTTP."""
        named = {argument.value for call in self._calls for argument in call.args if isinstance(argument, ast.Constant)}
        addresses = {_last_name(node.target) for node in self._nodes if isinstance(node, ast.AnnAssign)}
        return [other for other in SERVICES if other != self.service and other in named and f"{other}_url" in addresses]

    def paths(self, other: str) -> list[str]:
        """The paths at which it calls another service, as the code writes them; `{}` for what is filled in."""
        found = {
            _text(call.args[0]).partition("?")[0]
            for call in self._calls
            if isinstance(call.func, ast.Attribute) and _last_name(call.func.value) == other and call.args
        }
        return sorted(path for path in found if path.startswith("/"))

    def routes(self) -> list[Route]:
        """What its decorators serve, in the order of the code."""
        return [
            Route(decorator.func.attr.upper(), _text(decorator.args[0]))
            for node in self._nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr in METHODS
        ]

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return [node for tree in self.trees.values() for node in ast.walk(tree)]

    @cached_property
    def _calls(self) -> list[ast.Call]:
        return [node for node in self._nodes if isinstance(node, ast.Call)]

    def _events(self, expression: ast.expr, near: ast.AST) -> set[type[Event]]:
        """The events that an expression names, itself or through parameters and variables."""
        found: set[type[Event]] = set()
        for node in ast.walk(expression):
            if isinstance(node, ast.Name | ast.Attribute) and _last_name(node) in BY_NAME:
                found.add(BY_NAME[_last_name(node)])
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found |= self._values(node.id, near)
        if not found:
            raise LookupError(f"{self.service}: cannot tell which events {ast.unparse(expression)!r} means")
        return found

    def _values(self, name: str, near: ast.AST) -> set[type[Event]]:
        """The events that a name may stand for at a place of the code; none if it names something else."""
        scope = self._scope(near)
        if scope is not None and name in (names := [argument.arg for argument in scope.args.args]):
            position = names.index(name) - (1 if names[:1] in (["self"], ["cls"]) else 0)
            calls = [call for call in self._calls if _last_name(call.func) == getattr(scope, "name", None)]
            given = [call.args[position] for call in calls if position < len(call.args)]
            return {kind for value in given for kind in self._events_or_none(value)}
        if scope is not None and (values := list(_assigned(scope, name))):
            return {kind for value in values for kind in self._events_or_none(value)}
        values = [value for tree in self.trees.values() for value in _assigned(tree, name)]
        return {kind for value in values for kind in self._events_or_none(value)}

    def _events_or_none(self, value: ast.expr) -> set[type[Event]]:
        try:
            return self._events(value, value)
        except LookupError:
            return set()

    def _scope(self, node: ast.AST) -> Scope | None:
        while (parent := self._parents.get(node)) is not None:
            if isinstance(parent, Scope):
                return parent
            node = parent
        return None


@cache
def sources(service: str) -> Sources:
    """The shipped code of a service, without what it offers to tests."""
    modules = (FOLDER / service / "src").rglob("*.py")
    shipped = [module for module in sorted(modules) if "testing" not in {module.stem, module.parent.name}]
    return Sources.of(service, {str(module.relative_to(FOLDER)): module.read_text() for module in shipped})


def routes_called(caller: Sources, called: Sources) -> list[Route]:
    """The routes of `called` that `caller` calls; raises LookupError for a path that is not served."""
    routes = called.routes()
    for path in caller.paths(called.service):
        if not any(route.matches(path) for route in routes):
            raise LookupError(f"{caller.service} calls {path} of {called.service}, which does not serve it")
    return [route for route in routes if any(route.matches(path) for path in caller.paths(called.service))]


def _constructed(call: ast.Call) -> str | None:
    """The name of the event that a call makes."""
    of = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "model_construct" else call.func
    name = _MAKERS.get(_last_name(of), _last_name(of))
    return name if name in BY_NAME and BY_NAME[name] in EVENTS else None


def _argument(call: ast.Call, kind: type, parameter: str) -> ast.expr:
    position = list(inspect.signature(kind).parameters).index(parameter)
    by_keyword = [keyword.value for keyword in call.keywords if keyword.arg == parameter]
    return by_keyword[0] if by_keyword else call.args[position]


def _topic_of(call: ast.Call) -> type[Event] | None:
    """The event class whose topic is the first argument."""
    first = call.args[0] if call.args else None
    is_topic = isinstance(first, ast.Attribute) and first.attr == "topic"
    return BY_NAME.get(_last_name(first.value)) if isinstance(first, ast.Attribute) and is_topic else None


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """What is assigned to a name directly in a scope, also as one of several."""
    for statement in getattr(scope, "body", ()):
        if isinstance(statement, ast.AnnAssign) and _last_name(statement.target) == name and statement.value:
            yield statement.value
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield statement.value
                elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                    pairs = zip(target.elts, statement.value.elts, strict=False)
                    yield from (value for part, value in pairs if _last_name(part) == name)


def _last_name(node: ast.AST | None) -> str:
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value):
            return _last_name(value)
        case _:
            return ""


def _text(node: ast.expr) -> str:
    """A string as it is written, `{}` for what is filled in; empty for anything else."""
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(parts):
            return re.sub(r"\{\}+", "{}", "".join(_text(part) or "{}" for part in parts))
        case _:
            return ""
