"""Prose: the sentences of a file that people read, and the idioms that they should not contain (docs/glossary.md)."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

_START = r"(?:^|[.;:,] |\band |\()"
IDIOMS: dict[str, str] = {
    _START
    + r"[Aa]nswers (?=\w+ed\b|the\b|their\b|its\b|how|what\b|which\b|whether\b|after\b|None\b)": 'write "returns"',
    r"\b(?:[Tt]ells?|[Tt]old)\b(?! (?:\w+ ){1,4}to\b)": 'write "reports", "publishes", "shows" or "passes"',
    r"\b[Ss]tands?\b(?! for\b| in for\b| still\b|-)": 'write "is"',
    r"\blies\b": 'write "is" or "is stored"',
    r"\b(?:a|the|this|that|each|another) moment\b|\bmoments\b": 'write "a time", "an instant" or "soon"',
    r"\b[Ww]ho(?:m)?ever\b": "name the actor",
    r"\b[Ss]o (?:long as|many)\b": 'write "while", or the number',
    r"\banew\b": 'write "again"',
    r"\b[Ww]hat (?:is|was) held\b": 'write "held deliveries"',
    r"\b[Hh]eard\b": 'write "received", "read" or "reported"',
    r"\b[Nn]obody\b": "write the sentence with another subject",
    r"\b(?:[Ii]t|[Tt]hat|[Tt]his|which) (?:is|was) no (?!longer\b|more\b)\w+": 'write "it is not …"',
}
_CODE = re.compile(r"`[^`\n]*`|\"\"\"|https?://\S+")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LOG_CALLS = {"debug", "info", "warning", "error", "exception", "critical"}


def of_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Each line of a page with its number, without blocks of code."""
    plain = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    yield from enumerate(plain.splitlines(), 1)


def of_python(text: str) -> Iterator[tuple[int, str]]:
    """Docstrings (of modules, classes, functions and attributes), comments and the messages of log calls."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for offset, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, line.strip()
        if isinstance(node, ast.Call) and _is_log_call(node):
            message = node.args[0]
            if isinstance(message, ast.Constant) and isinstance(message.value, str):
                yield node.lineno, message.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# ")


def complaints(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    """What is wrong with each sentence, with its line. Names in code font are exempt."""
    for number, line in lines:
        plain = _CODE.sub("`", line)
        for idiom, advice in IDIOMS.items():
            if found := re.search(idiom, plain):
                yield f"line {number}: {found[0].strip(' .;:,(')!r}: {advice}"


def _is_log_call(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LOG_CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id in ("log", "logger")
        and bool(node.args)
    )
