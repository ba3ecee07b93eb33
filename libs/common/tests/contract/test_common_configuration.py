"""Configuration: the defaults, and bounds that keep out packages that cannot be paced."""

from datetime import time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from spreader.contract.configuration import Gateway, Package, Profile, RestWindow

GATEWAY = Gateway(driver="simulator", base_url="http://127.0.0.1:8090", account="sales")


def profile(profile_id: str = "prf_1", **more: Any) -> Profile:
    return Profile.model_validate(
        {"profile_id": profile_id, "name": "Sales", "phone": "201000000001", "gateway": GATEWAY, **more}
    )


def package(**more: Any) -> Package:
    return Package.model_validate({"package_id": "pkg_shop", "version": 1, "name": "Shop", **more})


def test_a_new_package_has_the_default_limits_and_four_hours_of_rest() -> None:
    fresh = package()
    limits = fresh.profile_limits
    assert (limits.per_hour, limits.per_3_hours, limits.per_day) == (20, 50, 120)
    assert (limits.new_contacts_per_day, limits.per_recipient_per_day) == (None, 2)
    assert (fresh.limits.per_day, fresh.limits.concurrent_sends) == (None, 10)
    assert fresh.rest_window == RestWindow(start=time(1), hours=4)
    assert fresh.rest_window is not None
    assert fresh.rest_window.length == timedelta(hours=4)
    assert (fresh.gap.min_seconds, fresh.gap.max_seconds, fresh.gap.rush_over) == (None, None, 10)
    assert (fresh.distribution, fresh.timezone, fresh.paused) == ("round_robin", "UTC", False)


def test_a_profile_is_found_by_its_id() -> None:
    two = package(profiles=[profile("prf_1"), profile("prf_2")])
    assert two.profile_ids == ("prf_1", "prf_2")
    found = two.profile("prf_2")
    assert found is not None
    assert found.profile_id == "prf_2"
    assert two.profile("prf_3") is None


def test_a_profile_is_found_without_a_search() -> None:
    """The sender looks for a profile at each send, and a package may have a thousand."""
    many = package(profiles=[profile(f"prf_{number}") for number in range(1_000)])
    assert many.profile("prf_0") is many.profiles[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(many.__dict__, "profiles", None)
        assert many.profile("prf_999") is not None


def test_a_copy_of_a_package_finds_its_own_profiles() -> None:
    two = package(profiles=[profile("prf_1"), profile("prf_2")])
    assert two.profile("prf_1") is not None
    other = two.model_copy(update={"profiles": (two.profiles[1],)})
    assert other.profile("prf_1") is None
    assert other.profile_ids == ("prf_2",)
    assert two.model_copy(deep=True).profile("prf_1") == two.profile("prf_1")
    assert two == package(profiles=[profile("prf_1"), profile("prf_2")])


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("timezone", "Cairo"),
        ("timezone", ""),
        ("version", 0),
        ("package_id", "a b"),
        ("package_id", "x" * 65),
        ("name", ""),
        ("distribution", "fastest"),
        ("profile_limits", {"per_hour": 0}),
        ("profile_limits", {"per_day": -1}),
        ("limits", {"concurrent_sends": 0}),
        ("rest_window", {"hours": 0}),
        ("rest_window", {"hours": 24}),
        ("gap", {"min_seconds": 0}),
        ("gap", {"rush_over": 0}),
    ],
)
def test_a_package_that_could_not_be_paced_is_refused_by_name(field: str, wrong: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        package(**{field: wrong})


@pytest.mark.parametrize(("field", "wrong"), [("weight", 0), ("weight", 101), ("phone", "+2010"), ("profile_id", "")])
def test_a_profile_outside_its_bounds_is_refused_by_name(field: str, wrong: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        profile(**{field: wrong})


def test_a_reader_ignores_settings_that_a_newer_writer_knows() -> None:
    assert package(invented_later=True, profile_limits={"per_week": 9}) == package()


def test_plain_credentials_in_a_gateway_never_reach_an_event() -> None:
    careless = Gateway.model_validate({**GATEWAY.model_dump(), "credentials": {"access_token": "secret"}})
    assert "secret" not in careless.model_dump_json()
