"""Accounts: the same account at the same gateway is recognised, however its address is written."""

import pytest

from ingress.core.accounts import account_of, server


def at(url: str | None, driver: str = "waha", account: str = "default") -> dict[str, str | None]:
    return {"driver": driver, "base_url": url, "account": account}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (at("http://waha:80/"), at("HTTP://WAHA"), True),
        (at("https://waha/api"), at("https://waha:443/api/"), True),
        (at("https://waha/a"), at("https://waha/b"), False),
        (at("http://waha"), at("http://waha:3000"), False),
        (at("http://waha"), at("http://waha", account="other"), False),
        (at("http://waha"), at("http://waha", driver="evolution"), False),
        (
            at("https://graph.facebook.com/v22.0", "cloud_api"),
            at("https://graph.facebook.com/v23.0", "cloud_api"),
            True,
        ),
        (at("http://waha:99999"), at("http://waha:99999/"), True),
    ],
)
def test_one_account_has_one_identity(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    assert (account_of(one) == account_of(other)) is same


@pytest.mark.parametrize("other", ["https://waha:3000", "http://waha", "http://evil:3000", None])
def test_another_scheme_host_or_port_is_another_server(other: str | None) -> None:
    assert server("http://waha:3000/path") == server("http://WAHA:3000")
    assert server("http://waha:3000") != server(other)
