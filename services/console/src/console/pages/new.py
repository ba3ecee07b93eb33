"""New: the forms that make a package, or add a profile to one."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from console.core.markup import together
from console.core.message_body import numbers
from console.data.api import Given, Refused
from console.data.polling_cache import Question
from console.ui import components
from console.ui.actions import tell, trouble
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of

DRIVERS = {
    "simulator": "Simulator – nothing is really sent", "cloud_api": "WhatsApp Cloud API (official)", "waha": "WAHA",
    "evolution": "Evolution API",
}  # fmt: skip
CREDENTIALS: Mapping[str, tuple[str, ...]] = {
    "simulator": (), "cloud_api": ("access_token", "app_secret", "verify_token"), "waha": ("api_key", "hmac_key"),
    "evolution": ("api_key", "webhook_token"),
}  # fmt: skip
ACCOUNTS = {"cloud_api": "Phone number id", "waha": "Session", "evolution": "Instance", "simulator": "Account"}
SECONDS = 45.0


async def show_package(screen: Screen) -> None:
    html(
        components.head(
            "New package", "A group of WhatsApp accounts that share settings. All of them can be changed later."
        )
    )
    form = Maker(screen, "/packages", (PACKAGES,))
    with stack("card"):
        form.text("name", "Name", "Marketing Campaign")
        form.text("timezone", "Time zone", "Africa/Cairo", "UTC")
        form.text("package_id", "Id in the API (made if left empty)", "marketing")
        form.submit("Make the package", lambda made: f"/packages/{made['package_id']}/new-profile")


async def show_profile(screen: Screen, package_id: str) -> None:
    html(components.head("New profile", "One WhatsApp account, reached through one gateway."))
    form = Maker(screen, f"/packages/{package_id}/profiles", (PACKAGES, profiles_of(package_id)))
    with stack("card"):
        form.text("name", "Name", "Sales WhatsApp #1")
        form.text("phone", "Phone number, with the country's code", "201001234567")
        form.text("profile_id", "Id in the API (made if left empty)", "sales-1")
        place: list[Any] = []

        def choose(driver: str) -> None:
            place[0].clear()
            form.forget("gateway/")
            form.put("gateway/driver", driver)
            with place[0]:
                form.text(
                    "gateway/account",
                    ACCOUNTS[driver] + (" (its id if left empty)" if driver == "simulator" else ""),
                    "",
                )
                if driver in ("waha", "evolution"):
                    form.text("gateway/base_url", "Address of the gateway", "http://gateway:3000")
                for name in CREDENTIALS[driver]:
                    form.text(f"gateway/credentials/{name}", name.replace("_", " ").capitalize(), "", secret=True)

        ui.select(DRIVERS, value="simulator", label="Gateway", on_change=lambda event: choose(event.value)).props(
            'outlined dense aria-label="Gateway" data-testid="driver"'
        )
        place.append(stack("stack tight"))
        choose("simulator")
        form.submit("Add the profile", lambda made: f"/packages/{package_id}/profiles/{made['profile_id']}")


class Maker:
    """Fields by the place of their value in the body."""

    def __init__(self, screen: Screen, address: str, shown_by: tuple[Question[Any], ...]) -> None:
        self._screen = screen
        self._address = address
        self._shown_by = shown_by
        self._typed: dict[str, str] = {}
        self._fields: dict[str, ui.input] = {}

    def text(self, name: str, label: str, example: str, value: str = "", secret: bool = False) -> None:
        self.put(name, value)
        made = ui.input(label, value=value, on_change=lambda event: self.put(name, event.value), password=secret)
        made.props(f'outlined dense placeholder="{example}" data-testid="new-{name.replace("/", "-")}" bottom-slots')
        self._fields[name] = made.style("width:100%;max-width:34rem")

    def put(self, name: str, value: str | None) -> None:
        self._typed[name] = (value or "").strip()

    def forget(self, start: str) -> None:
        for name in [each for each in self._typed if each.startswith(start)]:
            self._typed.pop(name)
            self._fields.pop(name, None)

    def submit(self, words: str, then: Any) -> None:
        self._trouble = html(together())

        async def press() -> None:
            answer = await self._screen.desk.api.call("POST", "ingress", self._address, self.body(), seconds=SECONDS)
            if isinstance(answer, Given):
                for question in self._shown_by:
                    self._screen.desk.feed.again(question)
                tell("Done.")
                ui.navigate.to(then(answer.body))
                return
            self._complain(answer.fields if isinstance(answer, Refused) else {}, trouble(answer, "ingress"))

        with stack("line"):
            button(words, press, "button-main").props('data-testid="make"')

    def body(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in self._typed.items():
            *groups, last = name.split("/")
            place = result
            for group in groups:
                place = place.setdefault(group, {})
            if value:
                place[last] = "".join(numbers(value)) if name == "phone" else value
        return result

    def _complain(self, errors: Mapping[str, str], otherwise: str) -> None:
        for name, made in self._fields.items():
            words = errors.get(f"/{name}", "")
            made.props(f'error error-message="{_quoted(words)}"') if words else made.props(remove="error error-message")
        left = [words for place, words in errors.items() if place[1:] not in self._fields]
        said = left or ([] if errors else [otherwise])
        self._trouble.set_content(together(*(components.notice(each, "bad", "form-error") for each in said)))


def _quoted(words: str) -> str:
    return words.replace('"', "'")
