"""Imported package: the part of the surface that is read after its modules are imported and its app is built.

Needs no server. Runs in the tree's own Python: `python imported_package.py TREE PACKAGE`.
"""

import ast
import asyncio
import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from plain_form import plain_schema, plain_value, text_of
from prometheus_client import REGISTRY
from pydantic import BaseModel
from pydantic_settings import BaseSettings

LEFT_OUT = re.compile(r"\.(testing|migrations|__main__)(\.|$)")
EVERY_APP = ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")
"""Paths that FastAPI adds to every app."""


def record(tree: Path, package: str) -> dict[str, Any]:
    top = importlib.import_module(package)
    folder = Path(next(iter(top.__path__)))
    assert folder.resolve().is_relative_to(tree.resolve()), f"{package} is imported from {folder}, not from {tree}"
    app = _app(package, folder)
    page = _metrics()
    modules = [importlib.import_module(name) for name in _names(top)]
    events = _events(modules) if package == "spreader" else {}
    return {
        **events,
        "metrics": _metrics(),
        "pages": {name: metric["shown"] for name, metric in page.items()} if app is not None else None,
        "settings": _settings(modules, tree),
        "models": _models(modules),
        "constants": _constants(modules, tree),
        "http": _http(app) if app is not None else None,
    }


def _names(top: ModuleType) -> list[str]:
    """The names of all modules. `pkgutil.walk_packages` would also import those that are left out."""
    names = [top.__name__]
    for module in pkgutil.iter_modules(top.__path__, f"{top.__name__}."):
        if not LEFT_OUT.search(module.name):
            names += _names(importlib.import_module(module.name)) if module.ispkg else [module.name]
    return names


def _app(package: str, folder: Path) -> Any:
    """The app that the package's process serves; None for a package without one."""
    main = folder / "__main__.py"
    if not main.exists() or "__name__" not in main.read_text():
        return None
    process = importlib.import_module(f"{package}.__main__")
    for build in vars(process).values():
        hints = get_type_hints(build) if callable(build) and hasattr(build, "__code__") else {}
        first, answer = next(iter(hints.values()), None), hints.get("return")
        if isinstance(first, type) and issubclass(first, BaseSettings) and hasattr(answer, "openapi"):
            return asyncio.run(_in_a_loop(lambda build=build, first=first: build(first())))
    return None


async def _in_a_loop(make: Any) -> Any:
    return make()


def _events(modules: Sequence[ModuleType]) -> dict[str, Any]:
    """From the registry of events, which is found by its contents."""
    registry = next(each for each in modules if {"EVENTS", "PARTITIONS", "COMPACTED"} <= set(vars(each)))
    return {
        "topics": {
            topic: {"partitions": partitions, "compacted": topic in registry.COMPACTED}
            for topic, partitions in registry.PARTITIONS.items()
        },
        "dead_letter_topic": registry.DEAD_LETTER_TOPIC,
        "events": {kind.type: _event(kind) for kind in registry.EVENTS},
    }


def _event(kind: Any) -> dict[str, Any]:
    schema = kind.model_json_schema()
    whole = plain_schema(schema, schema)
    return {
        "topic": kind.topic,
        "nulls_travel": kind.nulls_travel,
        "other_fields": kind.model_config.get("extra"),
        "fields": {
            name: {
                "type": {key: value for key, value in field.items() if key != "default"},
                "required": name in whole.get("required", ()),
                "default": field.get("default", "made anew" if name not in whole.get("required", ()) else "none"),
            }
            for name, field in whole["properties"].items()
        },
    }


def _metrics() -> dict[str, Any]:
    """All registered metrics, except those of the client library itself."""
    found: dict[str, Any] = {}
    for collector in list(getattr(REGISTRY, "_collector_to_names")):  # noqa: B009
        if type(collector).__name__ in {"ProcessCollector", "PlatformCollector", "GCCollector"}:
            continue
        for family in collector.collect():
            labels = {
                text_of({name: value for name, value in sample.labels.items() if name not in ("le", "quantile")})
                for sample in family.samples
                if not sample.name.endswith("_created")
            }
            found[family.name] = {
                "type": family.type,
                "labels": list(getattr(collector, "_labelnames", ())),
                "buckets": [str(bound) for bound in getattr(collector, "_upper_bounds", ())],
                "shown": sorted(labels),
            }
    return found


def _defined(modules: Sequence[ModuleType], kind: type) -> Iterator[type[Any]]:
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__:
                yield value


def _settings(modules: Sequence[ModuleType], tree: Path) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for kind in _defined(modules, BaseSettings):
        schema = kind.model_json_schema(by_alias=False)
        shapes = json.loads(json.dumps(plain_schema(schema, schema)["properties"]).replace(str(tree), "TREE"))
        for name, field in kind.model_fields.items():
            alias = field.validation_alias or field.alias
            variable = str(alias) if alias else f"{kind.model_config.get('env_prefix', '')}{name}".upper()
            shapes_so_far = found.setdefault(variable, [])
            shape = {"type": shapes[name], "required": field.is_required()}
            if shape not in shapes_so_far:
                shapes_so_far.append(shape)
    return {variable: sorted(shapes, key=text_of) for variable, shapes in found.items()}


def _models(modules: Sequence[ModuleType]) -> list[str]:
    """The schemas of all pydantic models."""
    found: set[str] = set()
    for kind in _defined(modules, BaseModel):
        if not issubclass(kind, BaseSettings):
            try:
                schema = kind.model_json_schema()
            except Exception as error:  # a field has no JSON schema
                found.add(text_of([type(error).__name__, sorted(kind.model_fields)]))
            else:
                found.add(text_of(plain_schema({**schema, "$defs": None}, schema)))
    return sorted(found)


def _constants(modules: Sequence[ModuleType], tree: Path) -> list[str]:
    """Values assigned at module level: tables of codes and words, numbers, durations."""
    found: set[str] = set()
    for module in modules:
        if module.__file__ is None:
            continue
        for name in _assigned(ast.parse(Path(module.__file__).read_text())):
            value = vars(module).get(name)
            if isinstance(value, tuple | list | Mapping | Set | int | float) or hasattr(value, "total_seconds"):
                shown = text_of(plain_value(value, tree))
                if not name.startswith("__") and re.search(r"\w", re.sub(r"<class>|<object>|table|set", "", shown)):
                    found.add(shown)
    return sorted(found)


def _assigned(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            for each in target.elts if isinstance(target, ast.Tuple) else (target,):
                if isinstance(each, ast.Name):
                    yield each.id


def _http(app: Any) -> dict[str, Any]:
    document = app.openapi()
    operations = plain_schema({"paths": document["paths"]}, document)["paths"]
    found: dict[str, Any] = {}
    for path, methods, parameters in _routes(app.routes):
        for method in methods:
            operation = operations.get(path, {}).get(method.lower())
            made = re.sub(r"\W", "_", path) + f"_{method.lower()}"
            if operation is not None and operation.get("operationId", "").endswith(made):
                del operation["operationId"]  # FastAPI derived it from the function's name
            found[f"{method} {path}"] = {"parameters": parameters, "operation": operation}
    return found


def _routes(routes: Any) -> Iterator[tuple[str, list[str], list[str]]]:
    for route in routes:
        if hasattr(route, "effective_route_contexts"):  # an included router, in FastAPI's own form
            yield from _routes(route.effective_route_contexts())
            continue
        path, methods = getattr(route, "path", None), getattr(route, "methods", None)
        if path not in EVERY_APP:
            kind = "MOUNT" if hasattr(route, "routes") else "WEBSOCKET"
            yield str(path), sorted(methods or [kind]), sorted(_parameters(getattr(route, "dependant", None)))


def _parameters(dependant: Any) -> Iterator[str]:
    for place in ("path", "query", "header", "cookie", "body"):
        for parameter in getattr(dependant, f"{place}_params", ()):
            yield f"{place}: {parameter.alias}"
    for each in getattr(dependant, "dependencies", ()):
        yield from _parameters(each)


if __name__ == "__main__":
    json.dump(record(Path(sys.argv[1]), sys.argv[2]), sys.stdout)
