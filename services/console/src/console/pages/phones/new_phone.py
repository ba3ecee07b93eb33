"""New phone page: a form that adds one phone to a package."""

from nicegui import ui

from console.core.phones.check_advice import advice
from console.core.phones.phone_form import error_words, read_new_phone
from console.data.api import CallRefused, CallSucceeded
from console.pages.phones.gateway_fields import GatewayFields
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.forms.text_form import TextForm
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query

CREATE_SECONDS = 45.0


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    await context.cache.load(PACKAGES)
    package = context.package(package_id)
    name = package.name if package else package_id
    file = components.link("Import from a file", f"/packages/{package_id}/phones/import", "button", "file")
    html(components.page_head("Add a phone", f"One WhatsApp account for “{name}”, reached through a gateway.", file))
    form, backup = TextForm(), list[bool]()
    with stack("card stack tight"):
        form.text("/name", "Name", example="Sales 1", words="What you and your colleagues call this phone.")
        form.text("/phone", "Phone number", example="+20 100 123 4567", words="With the country code.")
        fields = GatewayFields(form, {}, "waha")
        fields.build()
        with ui.expansion("More").props('dense data-testid="more-fields"'):
            form.text("/profile_id", "API ID (optional)", example="sales-1", words="Empty: it is made.")
            words = "Backup: it sends campaigns only while no other phone can"
            ui.switch(words, on_change=lambda event: backup.append(bool(event.value))).props('data-testid="backup"')
        form.build_errors()

        async def add() -> None:
            reading = read_new_phone(form.typed, context.country(package_id), bool(backup and backup[-1]))
            form.show_errors(reading.errors)
            if reading.errors:
                return
            path = f"/packages/{package_id}/profiles"
            result = await context.api.call("POST", "ingress", path, reading.body, seconds=CREATE_SECONDS)
            if isinstance(result, CallSucceeded):
                context.cache.refresh(PACKAGES)
                context.cache.refresh(profiles_query(package_id))
                check = result.body.get("check")
                shown = advice(fields.driver, check) if check else None
                words = f"Phone “{result.body['name']}” added." + (f" {shown.title}" if shown else "")
                notify(words, is_error=shown is not None and shown.tone == "bad")
                ui.navigate.to(f"{path}/{result.body['profile_id']}")
                return
            errors = result.fields if isinstance(result, CallRefused) else {}
            form.show_errors(
                {name: error_words(words) for name, words in errors.items()}, error_text(result, "ingress")
            )

        with stack("line"):
            button("Add the phone", add, "button-main").props('data-testid="make"')
