"""Settings page: every rule of a package, what it does in words and now, and what a change would make of the queue."""

from collections.abc import Mapping
from typing import Any

from console.core import setting_texts
from console.core.api_models import WhatIf
from console.core.markup import tag, together
from console.core.pacing_factors import effects
from console.data.api import Given, Refused
from console.pages.package import title
from console.ui import components
from console.ui import forecast as outlooks
from console.ui.actions import trouble
from console.ui.editor import Editor, button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of, queue_of

FORESEE_SECONDS = 25.0
READ_SECONDS = 10.0


async def show(screen: Screen, package_id: str) -> None:
    desk, address, queue = screen.desk, f"/packages/{package_id}", queue_of(package_id, 2.0)
    await desk.feed.first(PACKAGES, queue)
    title(
        screen, package_id, "Every rule, what it does, and what it does at this moment. Changes are in force at once."
    )
    answer = await desk.api.get("ingress", address, READ_SECONDS)
    if not isinstance(answer, Given):
        html(components.notice(f"The settings cannot be shown. {trouble(answer, 'ingress')}", "bad"))
        return
    place = stack()

    def build(document: Mapping[str, Any]) -> None:
        place.clear()
        with place:
            editor = Editor(screen, address, setting_texts.package(), document, saved)
            forecast = Forecast(screen, package_id, editor)
            editor.build(effects(desk.look(queue)), forecast.build)
            screen.follow(lambda: editor.form.effects(effects(desk.look(queue))))

    def saved(document: Mapping[str, Any]) -> None:
        desk.feed.again(PACKAGES)
        desk.feed.again(profiles_of(package_id))
        build(document)

    build(answer.body)


class Forecast:
    """What a change would make of the present queue, shown before it is saved."""

    def __init__(self, screen: Screen, package_id: str, editor: Editor) -> None:
        self._screen = screen
        self._package_id = package_id
        self._editor = editor

    def build(self) -> None:
        self._shown = html(together()).style("flex-basis:100%;order:9")
        self._button = button("What if?", self._ask).props('data-testid="foresee"')

    async def _ask(self) -> None:
        self._button.set_enabled(False)
        self._shown.set_content(tag("p", "The pacer runs the present queue forward with your changes …", class_="soft"))
        path = f"/packages/{self._package_id}/what-if"
        desk = self._screen.desk
        answer = await desk.api.call("POST", "ingress", path, self._editor.form.patch, seconds=FORESEE_SECONDS)
        self._button.set_enabled(True)
        if isinstance(answer, Given):
            package = desk.package(self._package_id)
            zone = package.timezone if package else "UTC"
            self._editor.complain({})
            self._shown.set_content(outlooks.what_if(WhatIf.model_validate(answer.body), zone, desk.now()))
        else:
            self._editor.complain(answer.fields if isinstance(answer, Refused) else {})
            self._shown.set_content(components.notice(trouble(answer, "ingress"), "bad"))
