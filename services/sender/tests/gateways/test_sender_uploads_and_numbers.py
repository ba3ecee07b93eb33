"""Upload cache and number checker, with stores in memory and on a real Postgres."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.driver import Driver
from sender.gateways.number_check import BURST, REMEMBERED_FOR, TOO_SOON, NumberChecker, NumberStore
from sender.gateways.postgres import PostgresNumbers, PostgresUploads
from sender.gateways.uploads import UPLOAD_VALID_FOR, UploadCache, UploadStore
from sender.testing import NOON, forgetting
from sender.testing.files import TYPES, MemoryUploads
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from sender.testing.numbers import MemoryNumbers
from spreader.testing import ManualClock
from spreader.text.clean_text import SafeText, clean

pytestmark = pytest.mark.postgres

ANN, BOB = "201000000001", "201000000002"


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest, engine: AsyncEngine) -> UploadStore:
    return MemoryUploads() if request.param == "memory" else PostgresUploads(engine)


async def test_concurrent_sends_of_one_file_wait_for_one_upload(store: UploadStore) -> None:
    uploads, made = UploadCache(store), list[SafeText]()

    async def upload() -> SafeText:
        made.append(clean(f"name-{len(made)}"))
        await asyncio.sleep(0)
        return made[-1]

    names = await asyncio.gather(*(uploads.upload_id("account", TYPES["image"], upload) for _ in range(50)))
    assert (set(names), made) == ({"name-0"}, ["name-0"])
    assert await uploads.upload_id("another account", TYPES["image"], upload) == "name-1"
    assert await uploads.upload_id("account", TYPES["video"], upload) == "name-2"


async def test_a_forgotten_upload_is_made_again(store: UploadStore) -> None:
    uploads, names = UploadCache(store), iter([clean("first"), clean("second")])

    async def upload() -> SafeText:
        return next(names)

    assert await uploads.upload_id("account", TYPES["image"], upload) == "first"
    await uploads.forget("account", "first")
    assert await uploads.upload_id("account", TYPES["image"], upload) == "second"


async def test_a_failed_upload_is_tried_again_by_the_next_send(store: UploadStore) -> None:
    uploads, troubles = UploadCache(store), [RuntimeError("no")]

    async def upload() -> SafeText:
        if troubles:
            raise troubles.pop()
        return "name"

    with pytest.raises(RuntimeError):
        await uploads.upload_id("account", TYPES["image"], upload)
    assert await uploads.upload_id("account", TYPES["image"], upload) == "name"


async def test_an_upload_is_not_used_after_29_days_and_then_deleted(engine: AsyncEngine) -> None:
    store = PostgresUploads(engine)
    await store.keep("account", "sha", "image/png", "name")
    assert await store.upload_id("account", "sha", "image/png", UPLOAD_VALID_FOR) == "name"
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sender.upload SET uploaded_at = now() - interval '29 days 1 second'"))
    assert await store.upload_id("account", "sha", "image/png", UPLOAD_VALID_FOR) is None
    assert await forgetting(engine, UPLOAD_VALID_FOR).delete_old(10) == 1


@pytest.fixture(params=["memory", "postgres"])
def checked(request: pytest.FixtureRequest, engine: AsyncEngine) -> NumberStore:
    return MemoryNumbers() if request.param == "memory" else PostgresNumbers(engine)


def numbers(store: NumberStore, drivers: dict[str, Driver], clock: ManualClock, per_hour: int = 60) -> NumberChecker:
    return NumberChecker(store, drivers, clock, per_hour)


async def test_a_number_is_checked_once_in_30_days_over_all_profiles(
    checked: NumberStore, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    clock = ManualClock(NOON)
    checks = numbers(checked, drivers, clock)
    waha, evolution = profile_at("waha", server.base_url), profile_at("evolution", server.base_url, "p2")
    (first,) = await checks.check(waha, [ANN])
    assert (first.exists, first.checked_at) == (True, NOON)
    assert server.requests[0].path == f"/api/contacts/check-exists?phone={ANN}&session=default"
    clock.forward(REMEMBERED_FOR - timedelta(seconds=1))
    (known,) = await checks.check(evolution, [ANN])
    assert (known.exists, known.checked_at, len(server.requests)) == (True, NOON, 1)
    clock.forward(timedelta(seconds=1))
    server.will(Respond(200, [{"exists": False, "number": ANN}]))
    (again,) = await checks.check(evolution, [ANN])
    assert (again.exists, server.requests[1].body) == (False, {"numbers": [ANN]})


async def test_a_profile_has_a_rate_limit_of_number_checks(
    checked: NumberStore, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    """60 an hour, up to 5 at once. Above that the number is not checked, and the detail says why."""
    clock = ManualClock(NOON)
    checks = numbers(checked, drivers, clock)
    waha = profile_at("waha", server.base_url)
    many = [f"20100000{number:04}" for number in range(8)]
    answers = await checks.check(waha, many)
    assert [each.exists for each in answers] == [True] * BURST + [None] * 3
    assert {each.detail for each in answers[BURST:]} == {TOO_SOON}
    clock.forward(timedelta(minutes=2))
    answers = await checks.check(waha, many)
    assert [each.exists for each in answers] == [True] * (BURST + 2) + [None]
    assert (await checks.check(profile_at("waha", server.base_url, "p2"), many))[-1].exists is True


@pytest.mark.parametrize("answer", [Respond(401, {"message": "Unauthorized"}), Respond(500, {}), Respond(200, {})])
async def test_a_check_without_a_result_is_not_stored(
    checked: NumberStore, drivers: dict[str, Driver], server: GatewayServer, answer: Respond
) -> None:
    checks = numbers(checked, drivers, ManualClock(NOON))
    server.will(answer)
    (unsure,) = await checks.check(profile_at("waha", server.base_url), [ANN])
    assert unsure.exists is None
    assert (await checks.check(profile_at("waha", server.base_url), [ANN]))[0].exists is True
