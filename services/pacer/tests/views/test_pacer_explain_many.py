"""Explanations of packages with many profiles and contacts do not stop the event loop."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from pacer.core.release_pass import run_pass
from pacer.sql import views
from pacer.testing import START, Pacer, assigned, members, package
from pacer.views.explain import PROFILES_A_TURN

pytestmark = pytest.mark.postgres


async def test_profiles_are_explained_in_turns(pacer: Pacer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red before: all profiles of the package were explained in one turn of the event loop."""
    count = 2 * PROFILES_A_TURN + 1
    pacer.config.configure(package(profiles=count))
    await pacer.hold(assigned(count, profiles=count))
    turns, explained = [0], Counter[int]()

    async def count_turns() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    def counted_pass(*arguments: Any) -> Any:
        """The explainer runs one pass for each profile."""
        explained[turns[0]] += 1
        return run_pass(*arguments)

    monkeypatch.setattr("pacer.views.explain.run_pass", counted_pass)
    counting = asyncio.ensure_future(count_turns())
    queue = members(await pacer.explainer.queue("one"))
    counting.cancel()
    assert [each["held"] for each in queue["profiles"]] == [1] * count
    assert explained.total() == count
    assert max(explained.values()) <= PROFILES_A_TURN


async def test_unanswered_contacts_are_counted_by_the_database(pacer: Pacer) -> None:
    """Red before: each contact was read as a row of its own, and a profile may have thousands."""
    pacer.configure(package())
    await pacer.hold(assigned(1))
    statement = """INSERT INTO pacer.contact (profile_id, recipient, opened_at, unanswered)
    SELECT 'p0', '2012' || n, :now, true FROM generate_series(1, 3000) AS n"""
    async with pacer.engine.begin() as connection:
        await connection.execute(text(statement), {"now": START})
        rows = (await connection.execute(views.UNANSWERED, {"profile_ids": ["p0"], "now": START})).all()
    assert len(rows) == 1
    queue = members(await pacer.explainer.queue("one"))
    assert queue["profiles"][0]["limits"]["unanswered budget"]["used"] == 3_000
