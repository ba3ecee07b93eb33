"""Settings page: a package's settings, what each one does now, and a forecast with the operator's unsaved changes."""

from console.core import setting_texts
from console.core.api_models import ApiWhatIf
from console.core.markup import join, tag
from console.core.pacing_factors import effects
from console.data.api import CallRefused, CallSucceeded
from console.pages.phones.package_removal import removal_button
from console.ui import components, forecast
from console.ui.actions import error_text
from console.ui.editor import SettingsEditor, button
from console.ui.elements import html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query, queue_query
from console.ui.page_heads import package_head

FORECAST_SECONDS = 25.0
READ_SECONDS = 10.0


async def show(page: LivePage, package_id: str) -> None:
    context, address, queue = page.context, f"/packages/{package_id}", queue_query(package_id, 2.0)
    await context.cache.load(PACKAGES, queue)
    package_head(page, package_id, "Limits, times and rules of this package. Changes take effect at once.")
    result = await context.api.get("ingress", address, READ_SECONDS)
    if not isinstance(result, CallSucceeded):
        html(components.notice(f"The settings cannot be shown. {error_text(result, 'ingress')}", "bad"))
        return
    content = stack()

    def build(loaded: CallSucceeded) -> None:
        content.clear()
        with content:
            editor = SettingsEditor(page, address, setting_texts.package_groups(), loaded, saved)
            what_if = WhatIfPanel(page, package_id, editor)
            editor.build(effects(context.latest(queue)), what_if.build)
            editor.watch(lambda: (package := context.package(package_id)) and package.version)
            page.on_update(lambda: editor.form.show_effects(effects(context.latest(queue))))

    def saved(answer: CallSucceeded) -> None:
        context.cache.refresh(PACKAGES)
        context.cache.refresh(profiles_query(package_id))
        build(answer)

    build(result)
    removal_button(page, package_id)


class WhatIfPanel:
    """The *What if?* button and the forecast that it shows. The forecast uses the unsaved changes of the settings."""

    def __init__(self, page: LivePage, package_id: str, editor: SettingsEditor) -> None:
        self._page = page
        self._package_id = package_id
        self._editor = editor

    def build(self) -> None:
        self._result = html(join()).style("flex-basis:100%;order:9")
        self._button = button("What if?", self._run).props('data-testid="foresee"')

    async def _run(self) -> None:
        self._button.set_enabled(False)
        self._result.set_content(tag("p", "Calculating with your changes …", class_="soft"))
        path = f"/packages/{self._package_id}/what-if"
        context = self._page.context
        result = await context.api.call("POST", "ingress", path, self._editor.form.patch, seconds=FORECAST_SECONDS)
        self._button.set_enabled(True)
        if isinstance(result, CallSucceeded):
            zone = context.zone(self._package_id)
            self._editor.show_errors({})
            self._result.set_content(forecast.what_if(ApiWhatIf.model_validate(result.body), zone, context.now()))
        else:
            self._editor.show_errors(result.fields if isinstance(result, CallRefused) else {})
            self._result.set_content(components.notice(error_text(result, "ingress"), "bad"))
