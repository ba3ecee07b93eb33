"""Profile table of the console: it asks the services only about the profiles that it shows."""

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from console.core.api_models import ApiGateway, ApiProfile, ApiProfileList, ApiProfileStates
from console.data.polling_cache import Query
from console.ui.live_page import LivePage
from console.ui.profile_table import ProfileTable
from spreader.contract.events import ProfileState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def parameters(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query)


class Answers:
    """A page whose services have answered some queries."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answers = answers

    @property
    def context(self) -> "Answers":
        return self

    def latest(self, query: Query[Any]) -> Any:
        self.asked.append((query.service, query.path))
        return self._answers.get(query.service)


def profiles(*names: str) -> ApiProfileList:
    made = (
        ApiProfile(profile_id=name, package_id="shop", name=name, phone="2010", gateway=ApiGateway(driver="waha"))
        for name in names
    )
    return ApiProfileList(data=tuple(made))


def states(*names: str) -> ApiProfileStates:
    return ApiProfileStates.model_validate(
        {"data": [ProfileState(profile_id=name, package_id="shop", at=NOON) for name in names]}
    )


@pytest.mark.parametrize("is_filtered", [False, True])
def test_the_second_request_names_only_the_profiles_that_the_first_one_found(is_filtered: bool) -> None:
    page = Answers(ingress=profiles("a", "b"), stats=states("a", "b"))
    table = ProfileTable(cast(LivePage, page), "shop")
    table.shown = table.shown.filtered("x", "") if is_filtered else table.shown
    table.queries()
    first, second = ("stats", "ingress") if is_filtered else ("ingress", "stats")
    paths = {service: query.path for query in table.queries() for service in (query.service,)}
    assert parameters(paths[second])["profile_id"] == ["a", "b"]
    assert "profile_id" not in parameters(paths[first])


def test_without_an_answer_nothing_is_asked_about_profiles_that_are_not_known() -> None:
    table = ProfileTable(cast(LivePage, Answers()), "shop")
    assert [query.service for query in table.queries()] == ["ingress"]
    table.shown = table.shown.filtered("", "limited")
    assert [query.service for query in table.queries()] == ["stats"]
