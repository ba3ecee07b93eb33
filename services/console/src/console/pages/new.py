"""New package page: a form that creates a package."""

from zoneinfo import available_timezones

from nicegui import ui

from console.core.phones.phone_form import error_words, read_new_package
from console.data.api import CallRefused, CallSucceeded
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.forms.text_form import TextForm
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES


async def show_package(page: LivePage) -> None:
    words = "A group of phones that share settings. All of the settings can be changed later."
    html(components.page_head("New package", words))
    form = TextForm()
    with stack("card stack tight"):
        form.text("/name", "Name", example="Marketing")
        zone = ui.select(sorted(available_timezones()), value="UTC", label="Time zone", with_input=True)
        zone.props('outlined dense aria-label="Time zone" data-testid="new-timezone"').style(
            "width:100%;max-width:34rem"
        )
        words = "Empty: it is made. Your integrations use it."
        form.text("/package_id", "API ID (optional)", example="marketing", words=words)
        form.build_errors()

        async def create() -> None:
            reading = read_new_package({**form.typed, "/timezone": zone.value or "UTC"})
            form.show_errors(reading.errors)
            if reading.errors:
                return
            result = await page.context.api.call("POST", "ingress", "/packages", reading.body)
            if isinstance(result, CallSucceeded):
                page.context.cache.refresh(PACKAGES)
                notify(f"Package “{result.body['name']}” created.")
                ui.navigate.to(f"/packages/{result.body['package_id']}/new-profile")
                return
            errors = result.fields if isinstance(result, CallRefused) else {}
            form.show_errors(
                {name: error_words(words) for name, words in errors.items()}, error_text(result, "ingress")
            )

        form.on_enter(create)
        with stack("line"):
            button("Create package", create, "button-main").props('data-testid="make"')
