"""Shim until its user moves to spreader.positions.LivePositions; the lead removes it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.positions import LivePositions, Positions
from spreader.settings import Settings


class Progress(LivePositions):
    def __init__(self, engine: AsyncEngine, settings: Settings, schema: str, topics: Sequence[str]) -> None:
        super().__init__(settings, engine, schema, topics)

    @property
    def positions(self) -> Positions:
        assert self._positions is not None
        return self._positions
