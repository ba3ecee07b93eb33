"""Phone form: what an operator typed becomes the body of a request, or an error that the operator understands."""

import pytest

from console.core.phones.phone_form import error_words, read_gateway, read_new_package, read_new_phone

WAHA = {
    "/name": " Sales 1 ", "/phone": "+20 100 123 4567", "/gateway/driver": "waha", "/gateway/account": "",
    "/gateway/base_url": "https://waha.example.com", "/gateway/credentials/api_key": "k",
    "/gateway/credentials/hmac_key": "h",
}  # fmt: skip
STORED = {"driver": "waha", "base_url": "https://waha.example.com", "account": "sales", "credentials": {"set": True}}


def test_a_new_phone_is_read() -> None:
    reading = read_new_phone({**WAHA, "/profile_id": "sales-1"}, None, backup=True)
    assert reading.errors == {}
    assert reading.body == {
        "name": "Sales 1", "phone": "201001234567", "profile_id": "sales-1", "backup": True,
        "gateway": {"driver": "waha", "base_url": "https://waha.example.com",
                    "credentials": {"api_key": "k", "hmac_key": "h"}},
    }  # fmt: skip


@pytest.mark.parametrize("typed", ["+201001234567", "00201001234567", "٢٠١٠٠١٢٣٤٥٦٧", "20 100-123-4567", "01001234567"])
def test_a_number_is_read_in_every_spelling(typed: str) -> None:
    assert read_new_phone({**WAHA, "/phone": typed}, "EG").body["phone"] == "201001234567"


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("/name", "", "Enter a name."),
        ("/phone", "", "with its country code"),
        ("/phone", "call me", "“call me” is not a phone number"),
        ("/phone", "01001234567", "“01001234567” is not a phone number"),
        ("/profile_id", "Ramadan Offers!", "Use letters, digits, - and _ only"),
        ("/gateway/base_url", "waha.example.com", "Start with http:// or https://, such as https://waha.example.com."),
        ("/gateway/base_url", "", "Enter the address of your WAHA"),
        ("/gateway/base_url", "https://me:pw@waha", "Leave user and password out"),
        ("/gateway/account", "sales one", "without spaces"),
        ("/gateway/credentials/api_key", "", "Enter the API key."),
        ("/gateway/credentials/hmac_key", "a\nb", "Copy it again"),
    ],
)
def test_an_error_says_what_to_enter(field: str, typed: str, words: str) -> None:
    errors = read_new_phone({**WAHA, field: typed}, None).errors
    assert [*errors] == [field]
    assert words in errors[field]
    assert "pattern" not in errors[field]


def test_meta_needs_the_phone_number_id_and_all_credentials() -> None:
    errors = read_new_phone({"/name": "a", "/phone": "201001234567", "/gateway/driver": "cloud_api"}, None).errors
    assert sorted(errors) == [
        "/gateway/account", "/gateway/credentials/access_token", "/gateway/credentials/app_secret",
        "/gateway/credentials/verify_token",
    ]  # fmt: skip
    assert errors["/gateway/credentials/access_token"] == "Enter the access token."


def test_an_edit_sends_only_the_credentials_that_were_typed() -> None:
    typed = {
        "/gateway/driver": "waha", "/gateway/base_url": "https://waha.example.com", "/gateway/account": "sales",
        "/gateway/credentials/api_key": "rotated",
    }  # fmt: skip
    reading = read_gateway(typed, STORED)
    assert (reading.errors, reading.body["credentials"]) == ({}, {"api_key": "rotated"})
    assert "credentials" not in read_gateway({**typed, "/gateway/credentials/api_key": ""}, STORED).body


@pytest.mark.parametrize(
    "changed", [{"/gateway/base_url": "https://other.example.com"}, {"/gateway/driver": "evolution"}]
)
def test_another_gateway_needs_all_credentials_again(changed: dict[str, str]) -> None:
    typed = {"/gateway/driver": "waha", "/gateway/base_url": "https://waha.example.com", "/gateway/account": "sales"}
    errors = read_gateway({**typed, **changed}, STORED).errors
    assert "again" in errors["/gateway/credentials/api_key"]


def test_a_package_id_with_a_space_is_explained() -> None:
    assert read_new_package({"/name": "Offers", "/package_id": "Ramadan Offers!"}).errors == {
        "/package_id": "Use letters, digits, - and _ only, and at most 64 of them."
    }
    assert read_new_package({"/name": ""}).errors == {"/name": "Enter a name."}


def test_the_words_of_the_api_become_the_operators() -> None:
    taken = "there is a profile 'sales' already, in this package or another"
    assert error_words(taken) == "There is a phone 'sales' already, in this package or another."
