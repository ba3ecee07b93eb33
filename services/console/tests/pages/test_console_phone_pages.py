"""Pages of phones: what they send, what they ask before, and what they show."""

from pathlib import Path
from typing import Any

import pytest

from console.data.api import CallSucceeded
from console.pages.phones.gateway_card import CheckPanel
from console.pages.phones.import_file import PhoneImport
from console.pages.phones.new_phone import show as show_new_phone
from console.pages.phones.phone_cards import connection_cards
from console.pages.phones.table import PhonesPage
from console.testing import FakeServices, OpenPage

PROFILES = "/packages/shop/profiles"
PROFILE = f"{PROFILES}/a"
LINK = "/profiles/a/link"


def document(driver: str = "waha", **more: Any) -> dict[str, Any]:
    gateway = {"driver": driver, "base_url": "http://waha:3000", "account": "a", "credentials": {"set": True}}
    names = {"profile_id": "a", "package_id": "shop", "name": "Sales 1", "phone": "201001234567"}
    return {**names, "gateway": gateway, "webhook_url": "https://us.example.com/api/v1/webhooks/waha/shop/a", **more}


def link(state: str, **more: Any) -> tuple[int, dict[str, Any]]:
    nothing: dict[str, Any] = {"qr_png": None, "code": None, "expires_at": None}
    return 200, {"profile_id": "a", "state": state, "detail": "WAHA says no", **nothing, **more}


@pytest.fixture
def shop(services: FakeServices) -> FakeServices:
    package = {"package_id": "shop", "name": "Shop", "default_country": "EG", "profile_ids": ["a", "b"]}
    other = {"package_id": "other", "name": "Support"}
    phones = [document(), {**document(), "profile_id": "b", "name": "Sales 2", "phone": "201001234568"}]
    paces = [{"profile_id": "a", "held": 12}, {"profile_id": "b", "held": 3}]
    queue = {"package_id": "shop", "at": "2026-03-01T12:00:00Z", "held": 15, "rush_over": 10, "profiles_in_rush": 0}
    services.answers = {
        "GET /packages": (200, {"data": [package, other], "next_cursor": None}),
        f"GET {PROFILES}": (200, {"data": phones, "next_cursor": None}),
        "GET /packages/other/profiles": (200, {"data": [], "next_cursor": None}),
        "GET /profiles": (200, {"data": [], "next_cursor": None}),
        "GET /packages/shop/queue": (200, {**queue, "at_gateway": {"now": 0, "max": 10}, "profiles": paces}),
        f"GET {PROFILE}": (200, document()),
    }
    return services


@pytest.fixture
def cards(opened: OpenPage, shop: FakeServices) -> OpenPage:
    with opened.client:
        check = CheckPanel(opened.page, PROFILE, "waha")
        check.build()
        connection_cards(opened.page, PROFILE, CallSucceeded(document(), 200, '"1"'), check)
    return opened


async def test_a_rotated_key_is_saved_and_no_credential_is_shown(cards: OpenPage, shop: FakeServices) -> None:
    check = {"ok": False, "session": "unlinked", "detail": "the session is unlinked (SCAN_QR_CODE)"}
    shop.answers[f"PATCH {PROFILE}"] = 200, {**document(), "check": check}
    assert cards.element("new-gateway-credentials-api_key").value == ""
    cards.fill("new-gateway-credentials-api_key", "rotated")
    cards.press("save-gateway")
    await cards.until_text("WhatsApp is not linked")
    gateway = {"driver": "waha", "base_url": "http://waha:3000", "account": "a", "credentials": {"api_key": "rotated"}}
    assert shop.calls == [(f"PATCH {PROFILE}", {"gateway": gateway})]
    assert cards.element("new-gateway-credentials-api_key").value == ""


async def test_an_address_without_http_is_explained_at_its_field(cards: OpenPage, shop: FakeServices) -> None:
    cards.fill("new-gateway-base_url", "waha.example.com")
    cards.press("save-gateway")
    await cards.until(lambda: cards.element("new-gateway-base_url").error is not None)
    assert cards.element("new-gateway-base_url").error.startswith("Start with http:// or https://")
    assert shop.calls == []


async def test_a_gateway_that_somebody_else_changed_is_not_overwritten(cards: OpenPage, shop: FakeServices) -> None:
    shop.answers[f"PATCH {PROFILE}"] = 412, {"code": "changed", "detail": "Somebody has changed it."}
    other = document()
    other["gateway"]["base_url"] = "http://elsewhere:3000"
    shop.answers[f"GET {PROFILE}"] = 200, other
    cards.fill("new-gateway-account", "b")
    cards.press("save-gateway")
    await cards.until_text("Somebody has changed this phone")
    assert len(shop.calls) == 1


async def test_a_link_shows_the_picture_renews_it_and_says_that_it_is_linked(
    cards: OpenPage, shop: FakeServices
) -> None:
    shop.answers[f"POST {LINK}"] = link("waiting", qr_png="Zmlyc3Q=", expires_at="2026-03-01T12:02:40Z")
    cards.press("link-qr")
    await cards.until_text("data:image/png;base64,Zmlyc3Q=")
    assert "Linked devices" in cards.texts
    assert "This attempt ends in 2 min 40 s." in cards.texts
    assert shop.calls == [(f"POST {LINK}", {"method": "qr"})]
    shop.answers[f"GET {LINK}"] = link("waiting", qr_png="c2Vjb25k", expires_at="2026-03-01T12:02:40Z")
    await cards.until_text("data:image/png;base64,c2Vjb25k")
    shop.answers[f"GET {LINK}"] = link("linked")
    await cards.until_text("Linked. WhatsApp works on this phone.")
    assert "base64" not in cards.texts


@pytest.mark.parametrize(("state", "words"), [("expired", "The time is over"), ("failed", "The gateway: WAHA says no")])
async def test_a_link_that_ends_says_how(cards: OpenPage, shop: FakeServices, state: str, words: str) -> None:
    shop.answers[f"POST {LINK}"] = link(state)
    cards.press("link-qr")
    await cards.until_text(words)


async def test_a_pairing_code_is_shown(cards: OpenPage, shop: FakeServices) -> None:
    shop.answers[f"POST {LINK}"] = link("waiting", code="ABCD-1234", expires_at="2026-03-01T12:02:40Z")
    cards.press("link-code")
    await cards.until_text("ABCD-1234")
    assert shop.calls == [(f"POST {LINK}", {"method": "code"})]


async def test_a_log_out_asks_first(cards: OpenPage, shop: FakeServices) -> None:
    shop.answers["POST /profiles/a/logout"] = link("expired")
    cards.press("log-out")
    await cards.answer("confirm-back")
    assert shop.calls == []
    cards.press("log-out")
    await cards.answer()
    await cards.until_text("Logged out.")
    assert shop.calls == [("POST /profiles/a/logout", None)]


async def test_a_webhook_is_set_only_after_a_question_and_its_steps_are_shown(
    cards: OpenPage, shop: FakeServices
) -> None:
    steps = [
        {"name": "set", "ok": True, "detail": "taken"},
        {"name": "received", "ok": False, "detail": "none came"},
    ]
    body = {"profile_id": "a", "webhook_url": "x", "set": True, "received": False, "steps": steps}
    shop.answers["POST /profiles/a/webhook"] = 200, body
    assert "https://us.example.com/api/v1/webhooks/waha/shop/a" in cards.texts
    assert "message.reaction" in cards.texts
    cards.press("set-webhook")
    await cards.until_text("WAHA restarts the session")
    assert shop.calls == []
    await cards.answer()
    await cards.until_text("no call of the gateway has arrived")
    assert shop.calls == [("POST /profiles/a/webhook", {"restart": True})]
    assert "Receive a call" in cards.texts
    assert "none came" in cards.texts


async def test_a_check_says_what_to_do(opened: OpenPage, shop: FakeServices) -> None:
    detail = "the gateway does not accept the key (401: Unauthorized)"
    shop.answers[f"POST {PROFILE}/check"] = 200, {"ok": False, "session": "failed", "detail": detail}
    with opened.client:
        check = CheckPanel(opened.page, PROFILE, "waha")
        check.build()
        await check.check()
    assert "The gateway rejected the API key" in opened.texts
    assert "enter it below under Gateway" in opened.texts


async def test_a_new_phone_has_its_errors_at_its_fields(opened: OpenPage, shop: FakeServices) -> None:
    with opened.client:
        await show_new_phone(opened.page, "shop")
    opened.fill("driver", "simulator")
    opened.fill("new-name", "Sales 3")
    opened.fill("new-phone", "call me")
    opened.press("make")
    await opened.until(lambda: opened.element("new-phone").error is not None)
    assert "“call me” is not a phone number" in opened.element("new-phone").error
    assert shop.calls == []
    detail = "there is a profile 'a' already, in this package or another"
    errors = [{"pointer": "/profile_id", "code": "taken", "detail": detail}]
    shop.answers[f"POST {PROFILES}"] = 409, {"code": "taken", "detail": "x", "errors": errors}
    opened.fill("new-phone", "01001234569")
    opened.fill("new-profile_id", "a")
    opened.press("make")
    await opened.until(lambda: opened.element("new-profile_id").error is not None)
    assert opened.element("new-profile_id").error == "There is a phone 'a' already, in this package or another."
    assert shop.calls[0][1]["phone"] == "201001234569"


async def test_an_import_asks_before_it_creates_and_names_what_was_not_created(
    opened: OpenPage, shop: FakeServices, tmp_path: Path
) -> None:
    file = tmp_path / "phones.csv"
    file.write_text(
        "name,number,gateway\nSales 3,01001234569,simulator\nSales 4,+20 100 123 4570,simulator\n"
        "Twin,201001234567,simulator\nNobody,x,simulator\n"
    )

    def create(body: Any) -> tuple[int, Any]:
        return (500, {"code": "x", "detail": "It broke."}) if body["name"] == "Sales 4" else (201, document())

    shop.answers[f"POST {PROFILES}"] = create
    with opened.client:
        await opened.context.cache.load()
        phones = PhoneImport(opened.page, "shop", "Shop")
        phones.build()
        opened.context.profiles("shop")
        opened.context.country("shop")
        await opened.until(lambda: bool(opened.context.profiles("shop")) and bool(opened.context.country("shop")))
        await phones.load("phones.csv", file)
    assert "2 phones can be created, 2 rows cannot." in opened.texts
    assert "the package has it already, as Sales 1" in opened.texts
    assert "“x” is not a phone number" in opened.texts
    opened.press("create-phones")
    await opened.until_text("2 through Simulator. 2 wrong rows will be skipped.")
    assert shop.calls == []
    await opened.answer()
    await opened.until_text("1 phone created.")
    assert sorted(body["phone"] for _, body in shop.calls) == ["201001234569", "201001234570"]
    assert "It broke." in opened.texts


@pytest.fixture
async def table(opened: OpenPage, shop: FakeServices) -> PhonesPage:
    with opened.client:
        page = PhonesPage(opened.page, "shop")
        await page.build()
    return page


@pytest.mark.parametrize(
    ("action", "words", "call"),
    [
        ("pause", "Pause 2 phones?", "POST /packages/shop/profiles/{}/pause"),
        ("resume", "Resume 2 phones?", "POST /packages/shop/profiles/{}/resume"),
        ("remove", "“Shop” then has no phone. 15 waiting messages will never be sent.",
         "DELETE /packages/shop/profiles/{}"),
    ],
)  # fmt: skip
async def test_a_bulk_action_says_how_many_and_what_it_does_before_it_does_it(
    opened: OpenPage, shop: FakeServices, table: PhonesPage, action: str, words: str, call: str
) -> None:
    shop.answers |= {call.format(name): (200, document()) for name in "ab"}
    opened.fill("all", True)
    await opened.until_text("2 phones chosen")
    opened.press(f"bulk-{action}")
    await opened.until_text(words)
    await opened.answer("confirm-back")
    assert shop.calls == []
    opened.press(f"bulk-{action}")
    await opened.answer()
    await opened.until(lambda: len(shop.calls) == 2)
    assert sorted(name for name, _ in shop.calls) == [call.format(name) for name in "ab"]


async def test_a_move_asks_for_the_package_and_says_what_stays(
    opened: OpenPage, shop: FakeServices, table: PhonesPage
) -> None:
    shop.answers[f"POST {PROFILE}/move"] = 200, document()
    opened.fill("choose-a", True)
    opened.press("bulk-move")
    await opened.until_text("12 waiting messages will go to the other phone of “Shop”")
    assert opened.element("move-to").options == {"other": "Support"}
    opened.fill("move-to", "other")
    await opened.answer()
    await opened.until(lambda: bool(shop.calls))
    assert shop.calls == [(f"POST {PROFILE}/move", {"package_id": "other"})]


async def test_one_unchecked_phone_leaves_the_others_chosen(
    opened: OpenPage, shop: FakeServices, table: PhonesPage
) -> None:
    opened.fill("all", True)
    await opened.until_text("2 phones chosen")
    opened.fill("choose-a", False)
    await opened.until_text("1 phone chosen")
    assert opened.element("all").value is False
