"""Feed: what the open pages of one operator look at, asked again and again, once for all of them."""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from console.core.last_answer import Reading
from console.data.api import Answer, Api, Away, Given, Refused, Service
from spreader.clock import Now

T = TypeVar("T", bound=BaseModel)
V = TypeVar("V")

FORGET_SECONDS = 10.0
PAGE_ROWS = 200
PAGES_MAX = 100


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """`all_pages`: the answer is a list, and every page of it is read."""

    service: Service
    path: str
    shape: type[T]
    every_seconds: float = 1.0
    all_pages: bool = False

    @property
    def every(self) -> timedelta:
        return timedelta(seconds=self.every_seconds)


@dataclass
class _Kept:
    """A question with what came of it."""

    reading: Reading[Any]
    looked_at: float
    asked_at: float = float("-inf")
    task: asyncio.Task[None] | None = None
    raw: Any = None


@dataclass
class Feed:
    api: Api
    now: Now
    pace: float = 1.0
    """What the questions' own intervals are multiplied by."""
    _kept: dict[Question[Any], _Kept] = field(default_factory=dict[Question[Any], _Kept])
    _made: dict[Hashable, tuple[tuple[Any, ...], Any]] = field(
        default_factory=dict[Hashable, tuple[tuple[Any, ...], Any]]
    )

    def look(self, question: Question[T]) -> Reading[T | None]:
        """What is known now. Who looks keeps the question alive; the first look asks at once."""
        kept = self._kept.get(question)
        if kept is None:
            kept = self._kept[question] = _Kept(Reading(None), time.monotonic())
            self._ask(question, kept)
        kept.looked_at = time.monotonic()
        return cast(Reading[T | None], kept.reading)

    async def first(self, *questions: Question[Any], seconds: float = 2.0) -> None:
        """Wait until each of these has been answered or has failed, so that a page begins with what is known."""
        waiting = [kept.task for each in questions if (kept := self._looked(each)).reading.seen_at is None]
        tasks = [task for task in waiting if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def again(self, question: Question[Any]) -> None:
        """Ask at once: something was just changed."""
        if (kept := self._kept.get(question)) is not None:
            kept.asked_at = float("-inf")

    def turn(self) -> bool:
        """Ask what is due, forget what nobody looks at; answers whether anybody looks at anything."""
        now = time.monotonic()
        for question, kept in list(self._kept.items()):
            if now - kept.looked_at > FORGET_SECONDS:
                del self._kept[question]
            elif kept.task is None and now - kept.asked_at >= question.every_seconds * self.pace:
                self._ask(question, kept)
        return bool(self._kept)

    def memo(self, key: Hashable, build: Callable[..., V], *inputs: Any) -> V:
        """What `build` makes of these inputs, made once for all pages as long as they are the same objects."""
        known = self._made.get(key)
        if (
            known is None
            or len(known[0]) != len(inputs)
            or any(a is not b for a, b in zip(known[0], inputs, strict=True))
        ):
            known = self._made[key] = (inputs, build(*inputs))
        return cast(V, known[1])

    def stop(self) -> None:
        for kept in self._kept.values():
            if kept.task is not None:
                kept.task.cancel()
        self._kept.clear()
        self._made.clear()

    def _looked(self, question: Question[Any]) -> _Kept:
        self.look(question)
        return self._kept[question]

    def _ask(self, question: Question[Any], kept: _Kept) -> None:
        kept.asked_at = time.monotonic()
        kept.task = asyncio.create_task(self._hear(question, kept))

    async def _hear(self, question: Question[Any], kept: _Kept) -> None:
        try:
            match await self._answer(question):
                case Given(body) if body == kept.raw:
                    kept.reading = kept.reading.heard(kept.reading.value, self.now())
                case Given(body):
                    kept.reading = kept.reading.heard(question.shape.model_validate(body), self.now())
                    kept.raw = body
                case Refused(401):
                    kept.reading = kept.reading.missed("it does not take this API key any more: sign in again", True)
                case Refused(_, _, detail):
                    kept.reading = kept.reading.missed(detail, True)
                case Away(why):
                    kept.reading = kept.reading.missed(why)
        except ValidationError:
            kept.reading = kept.reading.missed("its answer cannot be read: is it of another version?")
        finally:
            kept.task = None

    async def _answer(self, question: Question[Any]) -> Answer:
        if not question.all_pages:
            return await self.api.get(question.service, question.path)
        rows: list[Any] = []
        mark, cursor = "&" if "?" in question.path else "?", ""
        for _ in range(PAGES_MAX):
            answer = await self.api.get(question.service, f"{question.path}{mark}limit={PAGE_ROWS}{cursor}")
            if not isinstance(answer, Given):
                return answer
            rows += answer.body["data"]
            if answer.body.get("next_cursor") is None:
                break
            cursor = f"&cursor={answer.body['next_cursor']}"
        return Given({"data": rows})
