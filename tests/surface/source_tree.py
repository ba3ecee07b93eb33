"""Source tree: the part of the surface that is read from the files of a checkout, without running them.

Runs in the tree's own Python: `python source_tree.py TREE`.
"""

import ast
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from plain_form import plain_schema, text_of

SHIPPED = re.compile(r"(?:^|/)src/(?P<package>\w+)/(?P<inside>.+)$")
TESTING = re.compile(r"(^|/)testing(/|\.py$)")
WORD = r"[\w*./:@#&?%-]+"
CODE = re.compile(rf"{WORD}(?: {WORD}){{0,3}}", re.ASCII)
"""A name that programs use, such as `not-found` or `rest window`. Longer strings and sentences are texts for people."""
CODE_CHARACTERS_MAX = 60
NAMES_OF_CODE = frozenset({"__all__", "__slots__", "__match_args__"})
TAKES_A_NAME_OF_CODE = frozenset({"cast", "TypeVar", "NewType", "NamedTuple", "ParamSpec"})


def record(tree: Path) -> dict[str, Any]:
    paths = _listed(tree)
    shipped = [(path, each["package"], each["inside"]) for path in paths if (each := SHIPPED.search(path))]
    code = [each for each in shipped if each[0].endswith(".py")]
    packages = sorted({package for _, package, _ in code})
    trees = {path: ast.parse((tree / path).read_text()) for path, _, _ in code}
    found: dict[str, Any] = {
        "packages": packages,
        "names_of_code": sorted({*_classes(trees.values()), *_modules(code)}),
        "migrations": {},
        **{kind: {name: set[str]() for name in packages} for kind in ("enumerated", "codes", "texts")},
        "files": sorted(f"{_short(path)} {_sha((tree / path).read_bytes())}" for path in paths if _is_data(path)),
        "documents": _documents(tree, paths),
        "rules": _rules(tree, paths),
        "compose": [yaml.safe_load((tree / path).read_text()) for path in paths if "docker-compose" in path],
    }
    for path, package, inside in code:
        parsed = trees[path]
        if "migrations/" in inside:
            found["migrations"][f"{package}/{PurePosixPath(path).name}"] = _sha(
                ast.dump(_Anonymous(packages).visit(parsed)).encode()
            )
        elif not TESTING.search(inside):
            found["enumerated"][package] |= {text_of(sorted(each, key=str)) for each in _enumerated(parsed)}
            for text in _strings(parsed):
                is_code = len(text) <= CODE_CHARACTERS_MAX and CODE.fullmatch(text)
                if text.strip() and not text.startswith("#/"):  # a reference to a schema, which contains a class name
                    found["codes" if is_code else "texts"][package].add(text)
    return found


def _classes(trees: Iterable[ast.Module]) -> Iterator[str]:
    return (node.name for each in trees for node in ast.walk(each) if isinstance(node, ast.ClassDef))


def _modules(code: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Modules and inner packages. The name of a top package is left out: it is also the name of a service."""
    for _, package, inside in code:
        *above, last = (package, *inside.removesuffix(".py").split("/"))
        yield ".".join([*above, last] if last != "__init__" else above)


def _listed(tree: Path) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(path for path in set(listed) if (tree / path).is_file())


def _is_data(path: str) -> bool:
    """Whether it is a data file of the tests (such as a golden file) or ships beside the code; prose is not data."""
    return ("tests/" in path or SHIPPED.search(path) is not None) and not path.endswith((".py", ".md"))


def _short(path: str) -> str:
    return "/".join(PurePosixPath(path).parts[-2:])


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _prose(tree: ast.AST) -> set[int]:
    """The ids of string nodes that are statements: docstrings, also those of fields."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


class _Anonymous(ast.NodeTransformer):
    """Removes docstrings and imports of our own modules, and replaces their names: they may move."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages
        self._ours: set[str] = set()

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_prose = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_prose else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if not node.level and (node.module or "").split(".")[0] not in self._packages:
            return node
        self._ours |= {alias.asname or alias.name for alias in node.names}
        return None

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("ours", node.ctx) if node.id in self._ours else node


def _is(node: ast.AST, names: frozenset[str]) -> bool:
    return (node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "") in names


def _enumerated(module: ast.Module) -> Iterator[set[Any]]:
    """The values of each Literal and each Enum."""
    for node in ast.walk(module):
        if isinstance(node, ast.Subscript) and _is(node.value, frozenset({"Literal"})):
            yield {each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)}
        if isinstance(node, ast.ClassDef) and any(re.search(r"(Enum|Flag)$", ast.unparse(base)) for base in node.bases):
            yield {ast.unparse(each.value).strip("'\"") for each in node.body if isinstance(each, ast.Assign)}


def _strings(module: ast.Module) -> Iterator[str]:
    """Strings that the code shows or compares, without docstrings and names of code."""
    aside = _prose(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and any(_is(target, NAMES_OF_CODE) for target in node.targets):
            aside |= {id(each) for each in ast.walk(node.value)}
        elif isinstance(node, ast.Call) and _is(node.func, TAKES_A_NAME_OF_CODE) and node.args:
            aside |= {id(each) for each in ast.walk(node.args[0])}
        for annotation in (getattr(node, name, None) for name in ("annotation", "returns")):
            if isinstance(annotation, ast.AST):
                aside |= set(_forward_references(annotation))
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in aside:
            yield node.value


def _forward_references(node: ast.AST) -> Iterator[int]:
    if isinstance(node, ast.Call) or (isinstance(node, ast.Subscript) and _is(node.value, frozenset({"Literal"}))):
        return
    yield id(node)
    for child in ast.iter_child_nodes(node):
        yield from _forward_references(child)


def _documents(tree: Path, paths: Sequence[str]) -> dict[str, Any]:
    read = {PurePosixPath(path).name: json.loads((tree / path).read_text()) for path in paths if _is_document(path)}
    events, calls = read["asyncapi.json"], read["openapi.json"]
    return {
        "openapi.json": {
            **plain_schema({key: value for key, value in calls.items() if key != "components"}, calls),
            "securitySchemes": plain_schema(calls.get("components", {}).get("securitySchemes"), calls),
        },
        "asyncapi.json": {
            "defaultContentType": events["defaultContentType"],
            "channels": {each["address"]: _channel(each, events) for each in events["channels"].values()},
            "operations": sorted(_operation(name, each, events) for name, each in events["operations"].items()),
        },
    }


def _is_document(path: str) -> bool:
    return PurePosixPath(path).name in ("openapi.json", "asyncapi.json")


def _channel(channel: Mapping[str, Any], events: Mapping[str, Any]) -> dict[str, Any]:
    """A channel with its messages by their names on the wire, not by their classes."""
    messages = [plain_schema(each, events) for each in channel["messages"].values()]
    return {"bindings": channel["bindings"], "messages": {each["name"]: each for each in messages}}


def _operation(name: str, operation: Mapping[str, Any], events: Mapping[str, Any]) -> str:
    address = plain_schema(operation["channel"], events)["address"]
    messages = [plain_schema(each, events)["name"] for each in operation["messages"]]
    return f"{name.split('-', 1)[0]} {operation['action']} {address} {' '.join(messages)}"


def _rules(tree: Path, paths: Sequence[str]) -> dict[str, Any]:
    """Prometheus rules by kind and name."""
    found: dict[str, list[Any]] = {}
    for path in paths:
        if re.search(r"\.rules\.ya?ml$", path):
            for group in yaml.safe_load((tree / path).read_text())["groups"]:
                for rule in group["rules"]:
                    name = f"alert {rule['alert']}" if "alert" in rule else f"record {rule['record']}"
                    kept = {key: rule[key] for key in ("for", "keep_firing_for", "labels") if key in rule}
                    found.setdefault(name, []).append({"expr": " ".join(str(rule["expr"]).split()), **kept})
    return {name: sorted(rules, key=text_of) for name, rules in found.items()}


if __name__ == "__main__":
    json.dump(record(Path(sys.argv[1])), sys.stdout, default=sorted)
