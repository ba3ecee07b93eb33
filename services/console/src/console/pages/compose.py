"""Composer: an open message to many, or a reply to one; seen before it is sent."""

import os
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from console.core import formats
from console.core.api_models import Preview
from console.core.markup import tag, together
from console.core.message_body import KINDS, NotReadable, open_body, reply_body
from console.core.setting_texts import STRATEGIES, WAITING
from console.data.api import Answer, Given, Refused
from console.pages.package import title
from console.ui import components, forecast
from console.ui.actions import tell, trouble
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES
from console.ui.recipients import Recipients

SECONDS = 60.0


async def show(screen: Screen, package_id: str) -> None:
    await screen.desk.feed.first(PACKAGES)
    title(screen, package_id, "An open message is paced and shared over the profiles. A reply goes out at once.")
    composer = Composer(screen, package_id)
    with Element("div").classes("two-one"):
        with stack():
            with stack("card"):
                composer.build_content()
            with stack("card"):
                composer.build_target()
        with stack():
            composer.build_sending()


class Composer:
    def __init__(self, screen: Screen, package_id: str) -> None:
        self._screen = screen
        self._package_id = package_id
        self._typed: dict[str, Any] = {"type": "text", "lane": "open", "waiting_strategy": "queued"}
        self._recipients = Recipients(screen)
        self._attempt = os.urandom(8).hex()
        self._sent_pieces = 0

    @property
    def _zone(self) -> str:
        package = self._screen.desk.package(self._package_id)
        return package.timezone if package else "UTC"

    def build_content(self) -> None:
        html(tag("div", tag("h2", "What"), class_="card-head"))
        with stack("line"):
            self._choice("lane", {"open": "Open message", "reply": "Reply"}, "open", "Kind of message", self._show_lane)
            self._choice("type", dict(KINDS), "text", "Content", lambda: self._build_fields())
        self._fields = stack("stack tight")
        self._build_fields()

    def build_target(self) -> None:
        with stack("stack tight") as self._many:
            self._recipients.build()
        with stack("stack tight") as self._one:
            html(tag("h2", "To whom"))
            self._input("recipient", "The customer who waits", "201001234567")
            words = "It goes through the profile that the customer wrote to, past all limits."
            html(tag("p", words, class_="soft small"))
        self._one.set_visibility(False)

    def build_sending(self) -> None:
        with stack("card"), stack("stack tight") as self._options:
            html(tag("h2", "How"))
            self._choice("distribution", {"": "As the package does", **STRATEGIES}, "", "Who sends to whom")
            self._choice("waiting_strategy", dict(WAITING), "queued", "When")
            self._input("schedule_at", f"Not before (clock of {self._zone})", "", 'type="datetime-local" stack-label')
            self._input("drip_interval_minutes", "With drip: minutes between", "5", 'inputmode="decimal"')
            self._input(
                "expires_at", "Not after: what is held then is dropped", "", 'type="datetime-local" stack-label'
            )
        with stack("card"):
            self._answer = html(together()).props('data-testid="answer" aria-live="polite"')
            self._answer.set_content(tag("p", "Nothing is sent before you press Send.", class_="soft"))
            with stack("line"):
                self._preview = button("Preview", self.preview).props('data-testid="preview"')
                self._send = button("Send", self.send, "button-main").props('data-testid="send"')

    async def preview(self) -> None:
        if (body := self._open_body()) is None:
            return
        path = f"/packages/{self._package_id}/messages/preview"
        answer = await self._ask(path, body, {})
        if isinstance(answer, Given):
            self._answer.set_content(_previewed(Preview.model_validate(answer.body), self._recipients.count, self._zone,
                                                self._screen.desk.now()))  # fmt: skip

    async def send(self) -> None:
        self._send.set_enabled(False)
        try:
            await (self._send_reply() if self._typed["lane"] == "reply" else self._send_open())
        finally:
            self._send.set_enabled(True)

    async def _send_open(self) -> None:
        """In as many requests as it takes. What was taken is not sent again: a press after a failure goes on."""
        total, last = self._recipients.count, None
        for piece in self._recipients.pieces(self._sent_pieces):
            if (body := self._open_body(piece)) is None:
                return
            key = {"Idempotency-Key": f"console-{self._attempt}-{self._sent_pieces}"}
            last = await self._ask(f"/packages/{self._package_id}/messages/open", body, key)
            if not isinstance(last, Given):
                return
            self._sent_pieces += 1
            done = min(self._sent_pieces * len(piece), total)
            self._answer.set_content(tag("p", f"{formats.count(done)} of {formats.count(total)} accepted …"))
        if last is None:
            self._refuse({"/recipients": "Give at least one recipient."})
            return
        several = self._sent_pieces > 1
        self._begin_anew()
        tell("Accepted: it is in the queue.")
        base = f"/packages/{self._package_id}/messages"
        ui.navigate.to(base if several else f"{base}/{last.body['message_id']}")

    async def _send_reply(self) -> None:
        if (body := self._body(lambda: reply_body(self._typed))) is None:
            return
        key = {"Idempotency-Key": f"console-{self._attempt}"}
        answer = await self._ask(f"/packages/{self._package_id}/messages/reply", body, key)
        if isinstance(answer, Given):
            used = answer.body.get("profile_used")
            words = f"Sent through {used}." if used else "On its way: no outcome came within 10 seconds."
            self._answer.set_content(components.notice(words, "good", "reply-sent"))
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._attempt, self._sent_pieces = os.urandom(8).hex(), 0

    def _open_body(self, piece: list[str] | None = None) -> dict[str, Any] | None:
        if piece is None:
            if not self._recipients.is_ready:
                self._refuse({"/recipients": "Give at least one recipient, and let the file be read."})
                return None
            piece = next(self._recipients.pieces())
        return self._body(lambda: open_body(self._typed, piece, self._zone))

    def _body(self, make: Any) -> dict[str, Any] | None:
        try:
            return make()
        except NotReadable as reason:
            self._refuse({reason.pointer: str(reason)})
            return None

    async def _ask(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        answer = await self._screen.desk.api.call("POST", "ingress", path, body, headers=headers, seconds=SECONDS)
        if isinstance(answer, Refused) and answer.code == "key-reused":
            self._begin_anew()
            self._refuse({"": "What was sent before this change may be on its way: look at the package's messages. "
                              "Send again, and this goes out as a message of its own."})  # fmt: skip
        elif isinstance(answer, Refused) and answer.fields:
            self._refuse(answer.fields)
        elif not isinstance(answer, Given):
            self._refuse({"": trouble(answer, "ingress")})
        return answer

    def _refuse(self, errors: Mapping[str, str]) -> None:
        said = [
            components.notice(together(tag("b", _field(place)), words), "bad", "refused")
            for place, words in errors.items()
        ]
        self._answer.set_content(together(*said[:8]))

    def _show_lane(self) -> None:
        is_open = self._typed["lane"] == "open"
        self._many.set_visibility(is_open)
        self._one.set_visibility(not is_open)
        self._options.set_visibility(is_open)
        self._preview.set_visibility(is_open)

    def _build_fields(self) -> None:
        self._fields.clear()
        kind = self._typed["type"]
        with self._fields:
            if kind == "text":
                area = ui.textarea(value=self._typed.get("text", ""), on_change=lambda event: self._type("text", event))
                area.props('outlined dense autogrow aria-label="Text" placeholder="What customers read"')
                area.props('data-testid="text" input-style="min-height: 7rem"').style("width:100%")
            elif kind == "template":
                self._input("template_name", "Name of the template", "order_update")
                self._input("language", "Language", "en_US")
                self._input("components", "Components (JSON)", "[]")
            else:
                self._input("url", "Address of the file", "https://…")
                if kind != "voice":
                    self._input("caption", "Caption", "")
                if kind == "document":
                    self._input("filename", "Name of the file", "invoice.pdf")

    def _choice(self, name: str, choices: dict[str, str], value: str, label: str, then: Any = None) -> None:
        def heard(event: Any) -> None:
            self._type(name, event)
            if then is not None:
                then()

        made = ui.select(choices, value=value, on_change=heard, label=label)
        made.props(f'outlined dense options-dense aria-label="{label}" data-testid="{name}"').style(
            "min-width:13rem;flex:1"
        )

    def _input(self, name: str, label: str, example: str, more: str = "") -> None:
        made = ui.input(label, value=self._typed.get(name, ""), on_change=lambda event: self._type(name, event))
        made.props(f'outlined dense data-testid="{name}" placeholder="{example}" {more}').style("width:100%")

    def _type(self, name: str, event: Any) -> None:
        self._typed[name] = event.value


def _field(place: str) -> str:
    return f"{place.strip('/').replace('/', ' ').replace('_', ' ')}: " if place else ""


def _previewed(preview: Preview, count: int, zone: str, now: Any) -> Any:
    lines = [(name, formats.count(number)) for name, number in sorted(preview.distribution.items())]
    passed = [(f"{name} gets none", why) for name, why in preview.passed_over.items()]
    seen = "" if preview.recipients == count else f" (of the first {formats.count(preview.recipients)})"
    done = preview.estimated_completion
    by = (
        f"{formats.clock(done, zone, now)}, {formats.until(done, now)}"
        if done
        else forecast.completion(preview, zone, now)
    )
    facts: list[tuple[str, Any]] = [
        ("Recipients", formats.count(count)), ("Sent by", by), ("What holds it most", forecast.binds(preview)),
        ("Shared", preview.strategy.replace("_", " ") + seen),
    ]  # fmt: skip
    if preview.suppressed:
        facts.append(("Suppressed", f"{formats.count(preview.suppressed)} get nothing"))
    return together(
        tag("h2", "If it were sent now"), components.facts(facts), tag("div", style="height:.8rem"),
        components.table(("Profile", "Messages"), [*lines, *passed], numbers=(1,), testid="shares"),
        forecast.curve(preview.curve, zone, now),
    )  # fmt: skip
