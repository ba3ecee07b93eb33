"""Statements: how long each statement of the pacer takes, by its name in pacer/sql."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import TextClause, event
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.sql import contacts, intake, outbox, release

NAME_WORDS = 4


@dataclass
class Statements:
    """Measures each statement. The times include waits for a core that another loop of the process uses."""

    engine: AsyncEngine
    _seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list), init=False)
    _names: dict[str, str] = field(default_factory=dict[str, str], init=False)

    def __post_init__(self) -> None:
        for module in (contacts, intake, outbox, release):
            for name, value in vars(module).items():
                if isinstance(value, TextClause):
                    self._names[str(value.compile(dialect=self.engine.sync_engine.dialect))] = name
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._before)
        event.listen(self.engine.sync_engine, "after_cursor_execute", self._after)

    def clear(self) -> None:
        self._seconds.clear()

    def milliseconds(self) -> dict[str, dict[str, float]]:
        """How often each statement ran, and its mean time. The statement with the longest total time comes first."""
        taken = sorted(self._seconds.items(), key=lambda each: -sum(each[1]))
        return {name: {"times": len(each), "mean": round(sum(each) / len(each) * 1e3, 3)} for name, each in taken}

    def _before(self, _: Any, __: Any, ___: str, ____: Any, context: Any, *_____: Any) -> None:
        context.began = time.perf_counter()

    def _after(self, _: Any, __: Any, statement: str, ____: Any, context: Any, *_____: Any) -> None:
        name = self._names.get(statement) or " ".join(statement.split()[:NAME_WORDS])
        self._seconds[name].append(time.perf_counter() - context.began)
