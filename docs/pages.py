"""Page: a file of the docs that the code writes, whole or between two marks."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.grafana.pages import BOARDS
from deploy.grafana.pages import page as dashboard
from deploy.grafana.panels import Board

from docs import asyncapi, flow, openapi, settings

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- topics: written by `make docs` -->", "<!-- end of topics -->"

Texts = Mapping[str, Callable[[str], str]]
"""By file: its new text, from its present one."""


def write(folder: Path) -> list[str]:
    """Write what is stale; answers its names."""
    changed = _changed(folder)
    for name, text in changed.items():
        (folder / name).write_text(text)
    return list(changed)


def stale(folder: Path) -> list[str]:
    return list(_changed(folder))


def _changed(folder: Path) -> dict[str, str]:
    texts = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in PAGES}
    new = {name: page(texts[name]) for name, page in PAGES.items()}
    return {name: text for name, text in new.items() if text != texts[name]}


def _document(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _with_topics(text: str) -> str:
    """The page with the table of topics between its marks; a page without them gets none."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{mark}\n{flow.table()}\n{end}{after}" if mark and end else f"{BEGIN}\n{flow.table()}\n{END}\n"


def _of_board(board: Board) -> Callable[[str], str]:
    return lambda _: dashboard(board)


PAGES: Texts = {
    "openapi.json": lambda _: _document(openapi.document()),
    "asyncapi.json": lambda _: _document(asyncapi.document()),
    "settings.md": lambda _: settings.page(),
    "architecture.md": _with_topics,
    **{f"../deploy/grafana/dashboards/{name}.json": _of_board(board) for name, board in BOARDS.items()},
}
