"""Page: a file that the code writes, whole or between two marks."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.grafana.pages import BOARDS
from deploy.grafana.pages import page as dashboard
from deploy.grafana.panels import Board
from deploy.k8s.generated import MANIFESTS

from docs import asyncapi, decision_index, example_day, flow, hops, openapi, settings

FOLDER = Path(__file__).parent

Texts = Mapping[str, Callable[[str], str]]
"""By file: its new text, from its present one."""


def write(folder: Path) -> list[str]:
    """Write the stale pages; returns their names."""
    changed = _changed(folder)
    for name, text in changed.items():
        (folder / name).write_text(text)
    return list(changed)


def stale(folder: Path) -> list[str]:
    """The names of the pages that the code would write differently."""
    return list(_changed(folder))


def _changed(folder: Path) -> dict[str, str]:
    texts = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in PAGES}
    new = {name: page(texts[name]) for name, page in PAGES.items()}
    return {name: text for name, text in new.items() if text != texts[name]}


def _document(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _with(block: str, table: Callable[[], str]) -> Callable[[str], str]:
    """Replaces what is between the marks of a block; a page without these marks becomes the block alone."""
    begin, end = f"<!-- {block}: written by `make docs` -->", f"<!-- end of {block} -->"

    def replaced(text: str) -> str:
        before, mark, rest = text.partition(begin)
        _, last, after = rest.partition(end)
        return f"{before}{begin}\n{table()}\n{end}{after}" if mark and last else f"{begin}\n{table()}\n{end}\n"

    return replaced


def _of_board(board: Board) -> Callable[[str], str]:
    return lambda _: dashboard(board)


def _of_manifests(text: Callable[[], str]) -> Callable[[str], str]:
    return lambda _: text()


PAGES: Texts = {
    "openapi.json": lambda _: _document(openapi.document()),
    "openapi-stats.json": lambda _: _document(openapi.statistics()),
    "asyncapi.json": lambda _: _document(asyncapi.document()),
    "settings.md": lambda _: settings.page(),
    "topics.md": _with("topics", flow.topics),
    "architecture.md": _with("calls", flow.calls),
    "decisions/README.md": _with("decisions", decision_index.table),
    "pacing.md": _with("example day", example_day.table),
    "performance.md": _with("hops", hops.table),
    **{f"../deploy/k8s/{name}": _of_manifests(text) for name, text in MANIFESTS.items()},
    **{f"../deploy/grafana/dashboards/{name}.json": _of_board(board) for name, board in BOARDS.items()},
}
