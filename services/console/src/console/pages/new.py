"""New page: a form that creates a package, and a form that adds a profile to a package."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from console.core.markup import join
from console.data.api import CallRefused, CallSucceeded
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query
from spreader.phone.dressed_number import read_number

DRIVERS = {
    "simulator": "Simulator – nothing is really sent", "cloud_api": "WhatsApp Cloud API (official)", "waha": "WAHA",
    "evolution": "Evolution API",
}  # fmt: skip
CREDENTIALS: Mapping[str, tuple[str, ...]] = {
    "simulator": (), "cloud_api": ("access_token", "app_secret", "verify_token"), "waha": ("api_key", "hmac_key"),
    "evolution": ("api_key", "webhook_token"),
}  # fmt: skip
ACCOUNTS = {"cloud_api": "Phone number id", "waha": "Session", "evolution": "Instance", "simulator": "Account"}
TIMEOUT_SECONDS = 45.0


async def show_package(page: LivePage) -> None:
    html(
        components.page_head(
            "New package", "A group of WhatsApp accounts that share settings. All of them can be changed later."
        )
    )
    form = CreateForm(page, "/packages", (PACKAGES,))
    with stack("card"):
        form.text("name", "Name", "Marketing Campaign")
        form.text("timezone", "Time zone", "Africa/Cairo", "UTC")
        form.text("package_id", "Id in the API (made if left empty)", "marketing")
        form.submit("Make the package", lambda created: f"/packages/{created['package_id']}/new-profile")


async def show_profile(page: LivePage, package_id: str) -> None:
    html(components.page_head("New profile", "One WhatsApp account, reached through one gateway."))
    form = CreateForm(page, f"/packages/{package_id}/profiles", (PACKAGES, profiles_query(package_id)))
    with stack("card"):
        form.text("name", "Name", "Sales WhatsApp #1")
        form.text("phone", "Phone number, with the country's code", "201001234567")
        form.text("profile_id", "Id in the API (made if left empty)", "sales-1")
        backup = "A backup: it opens conversations only while no other profile can"
        ui.switch(backup, on_change=lambda event: form.put("backup", event.value)).props('data-testid="backup"')
        driver_fields: list[Any] = []

        def choose(driver: str) -> None:
            driver_fields[0].clear()
            form.remove("gateway/")
            form.put("gateway/driver", driver)
            with driver_fields[0]:
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
        driver_fields.append(stack("stack tight"))
        choose("simulator")
        form.submit("Add the profile", lambda created: f"/packages/{package_id}/profiles/{created['profile_id']}")


class CreateForm:
    """A form that creates a package or a profile.

    The name of each field is the path of its value in the request body.
    """

    def __init__(self, page: LivePage, address: str, refreshes: tuple[Query[Any], ...]) -> None:
        self._page = page
        self._address = address
        self._refreshes = refreshes
        self._typed: dict[str, str | bool] = {}
        self._fields: dict[str, ui.input] = {}

    def text(self, name: str, label: str, example: str, value: str = "", secret: bool = False) -> None:
        self.put(name, value)
        field = ui.input(label, value=value, on_change=lambda event: self.put(name, event.value), password=secret)
        field.props(f'outlined dense placeholder="{example}" data-testid="new-{name.replace("/", "-")}" bottom-slots')
        self._fields[name] = field.style("width:100%;max-width:34rem")

    def put(self, name: str, value: str | bool | None) -> None:
        self._typed[name] = value if isinstance(value, bool) else (value or "").strip()

    def remove(self, prefix: str) -> None:
        for name in [name for name in self._typed if name.startswith(prefix)]:
            self._typed.pop(name)
            self._fields.pop(name, None)

    def submit(self, text: str, next_path: Any) -> None:
        self._errors = html(join())

        async def press() -> None:
            result = await self._page.context.api.call(
                "POST", "ingress", self._address, self.body(), seconds=TIMEOUT_SECONDS
            )
            if isinstance(result, CallSucceeded):
                for query in self._refreshes:
                    self._page.context.cache.refresh(query)
                notify("Done.")
                ui.navigate.to(next_path(result.body))
                return
            self._show_errors(result.fields if isinstance(result, CallRefused) else {}, error_text(result, "ingress"))

        with stack("line"):
            button(text, press, "button-main").props('data-testid="make"')

    def body(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in self._typed.items():
            *groups, last = name.split("/")
            target = result
            for group in groups:
                target = target.setdefault(group, {})
            if value:
                target[last] = _phone(str(value)) if name == "phone" else value
        return result

    def _show_errors(self, errors: Mapping[str, str], otherwise: str) -> None:
        for name, field in self._fields.items():
            error = errors.get(f"/{name}", "")
            field.props(f'error error-message="{_quoted(error)}"') if error else field.props(
                remove="error error-message"
            )
        others = [error for pointer, error in errors.items() if pointer[1:] not in self._fields]
        shown = others or ([] if errors else [otherwise])
        self._errors.set_content(join(*(components.notice(error, "bad", "form-error") for error in shown)))


def _quoted(text: str) -> str:
    return text.replace('"', "'")


def _phone(typed: str) -> str:
    """The phone number in the field. If the text is no phone number, returns the text as it is, so that the API says
    what is wrong."""
    found = read_number(typed)
    return found if isinstance(found, str) else typed
