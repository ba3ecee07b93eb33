"""Compose page: an operator writes an open message to many recipients, or a reply to one customer."""

import os
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from console.core import formats
from console.core.api_models import ApiPreview
from console.core.markup import join, tag
from console.core.message_body import KINDS, InvalidField, open_body, reply_body
from console.core.send_attempt import SendAttempt
from console.core.setting_texts import STRATEGIES, WAITING
from console.data.api import CallFailed, CallRefused, CallResult, CallSucceeded
from console.ui import components, forecast
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES
from console.ui.page_heads import package_head
from console.ui.recipients import BATCH_MAX, RecipientInput

TIMEOUT_SECONDS = 60.0


async def show(page: LivePage, package_id: str) -> None:
    await page.context.cache.load(PACKAGES)
    package_head(page, package_id, "An open message is paced and shared over the profiles. A reply goes out at once.")
    composer = Composer(page, package_id)
    with Element("div").classes("two-one"):
        with stack():
            with stack("card"):
                composer.build_content()
            with stack("card"):
                composer.build_target()
        with stack():
            composer.build_sending()


class Composer:
    """The message that is being written."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._package_id = package_id
        self._typed: dict[str, Any] = {"type": "text", "lane": "open", "waiting_strategy": "queued"}
        self._recipients = RecipientInput(page, package_id)
        self._attempt = SendAttempt(lambda: os.urandom(8).hex())

    @property
    def _zone(self) -> str:
        return self._page.context.zone(self._package_id)

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
            self._output = html(join()).props('data-testid="answer" aria-live="polite"')
            self._output.set_content(tag("p", "Nothing is sent before you press Send.", class_="soft"))
            with stack("line"):
                self._preview = button("Preview", self.preview).props('data-testid="preview"')
                self._send = button("Send", self.send, "button-main").props('data-testid="send"')

    async def preview(self) -> None:
        if (body := self._open_body()) is None:
            return
        path = f"/packages/{self._package_id}/messages/preview"
        result = await self._post(path, body, {})
        if isinstance(result, CallSucceeded):
            self._output.set_content(
                _render_preview(
                    ApiPreview.model_validate(result.body), self._recipients.count, self._zone, self._page.context.now()
                )
            )

    async def send(self) -> None:
        self._send.set_enabled(False)
        try:
            await (self._send_reply() if self._typed["lane"] == "reply" else self._send_open())
        finally:
            self._send.set_enabled(True)

    async def _send_open(self) -> None:
        """Send one request for each batch of recipients.

        After an error the operator can press Send again. If nothing was changed, sending then continues with the batch
        that failed.
        """
        if self._recipients.problem:
            self._show_errors({"/recipients": self._recipients.problem})
            return
        self._attempt.begin(("open", dict(self._typed), self._recipients.list_name))
        total, last = self._recipients.count, None
        for batch in self._recipients.batches(self._attempt.accepted_batches):
            if (body := self._open_body(batch)) is None:
                return
            key = {"Idempotency-Key": self._attempt.key}
            last = await self._post(f"/packages/{self._package_id}/messages/open", body, key)
            if not isinstance(last, CallSucceeded):
                return
            self._attempt.batch_accepted()
            done = min(self._attempt.accepted_batches * BATCH_MAX, total)
            self._output.set_content(tag("p", f"{formats.count(done)} of {formats.count(total)} accepted …"))
        if last is None:
            return
        several = self._attempt.accepted_batches > 1
        self._attempt.end()
        notify("Accepted: it is in the queue.")
        base = f"/packages/{self._package_id}/messages"
        ui.navigate.to(base if several else f"{base}/{last.body['message_id']}")

    async def _send_reply(self) -> None:
        if (body := self._body(lambda: reply_body(self._typed, self._page.context.country(self._package_id)))) is None:
            return
        self._attempt.begin(("reply", body))
        key = {"Idempotency-Key": self._attempt.key}
        result = await self._post(f"/packages/{self._package_id}/messages/reply", body, key)
        if isinstance(result, CallSucceeded):
            used = result.body.get("profile_used")
            words = f"Sent through {used}." if used else "On its way: no outcome came within 10 seconds."
            self._output.set_content(components.notice(words, "good", "reply-sent"))
        if not isinstance(result, CallFailed) and not _is_in_progress(result):
            # This reply has ended. So the next press of Send sends a new reply, and does not repeat this one.
            self._attempt.end()

    def _open_body(self, batch: list[str] | None = None) -> dict[str, Any] | None:
        if batch is None:
            if self._recipients.problem:
                self._show_errors({"/recipients": self._recipients.problem})
                return None
            batch = next(self._recipients.batches())
        return self._body(lambda: open_body(self._typed, batch, self._zone))

    def _body(self, build: Any) -> dict[str, Any] | None:
        try:
            return build()
        except InvalidField as reason:
            self._show_errors({reason.pointer: str(reason)})
            return None

    async def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> CallResult:
        result = await self._page.context.api.call(
            "POST", "ingress", path, body, headers=headers, seconds=TIMEOUT_SECONDS
        )
        if isinstance(result, CallRefused) and result.code == "key-reused":
            self._attempt.end()
            self._show_errors(
                {
                    "": "What was sent before this change may be on its way: look at the package's messages. "
                    "Send again, and this goes out as a message of its own."
                }
            )
        elif isinstance(result, CallRefused) and result.fields:
            self._show_errors(result.fields)
        elif not isinstance(result, CallSucceeded):
            self._show_errors({"": error_text(result, "ingress")})
        return result

    def _show_errors(self, errors: Mapping[str, str]) -> None:
        notices = [
            components.notice(join(tag("b", _field_name(pointer)), text), "bad", "refused")
            for pointer, text in errors.items()
        ]
        self._output.set_content(join(*notices[:8]))

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

    def _choice(self, name: str, choices: dict[str, str], value: str, label: str, on_change: Any = None) -> None:
        def change(event: Any) -> None:
            self._type(name, event)
            if on_change is not None:
                on_change()

        select = ui.select(choices, value=value, on_change=change, label=label)
        select.props(f'outlined dense options-dense aria-label="{label}" data-testid="{name}"').style(
            "min-width:13rem;flex:1"
        )

    def _input(self, name: str, label: str, example: str, more: str = "") -> None:
        field = ui.input(label, value=self._typed.get(name, ""), on_change=lambda event: self._type(name, event))
        field.props(f'outlined dense data-testid="{name}" placeholder="{example}" {more}').style("width:100%")

    def _type(self, name: str, event: Any) -> None:
        self._typed[name] = event.value


def _is_in_progress(result: CallResult) -> bool:
    """Whether an earlier request with the same key is still being worked on."""
    return isinstance(result, CallRefused) and result.code == "in-progress"


def _field_name(pointer: str) -> str:
    return f"{pointer.strip('/').replace('/', ' ').replace('_', ' ')}: " if pointer else ""


def _render_preview(preview: ApiPreview, count: int, zone: str, now: Any) -> Any:
    lines = [(name, formats.count(number)) for name, number in sorted(preview.distribution.items())]
    passed = [(f"{name} gets none", why) for name, why in preview.passed_over.items()]
    seen = "" if preview.recipients == count else f" (of the first {formats.count(preview.recipients)})"
    done = preview.estimated_completion
    by = forecast.done_at(done, preview, zone, now) if done else forecast.completion(preview, zone, now)
    facts: list[tuple[str, Any]] = [
        ("Recipients", formats.count(count)),
        ("Sent by", by),
        ("What holds it most", forecast.binds(preview)),
        ("Shared", preview.strategy.replace("_", " ") + seen),
    ]
    if preview.waiting_for_profile:
        facts.append(("Without a profile", f"{formats.count(preview.waiting_for_profile)} wait until one can send"))
    if preview.suppressed:
        facts.append(("Suppressed", f"{formats.count(preview.suppressed)} get nothing"))
    return join(
        tag("h2", "If it were sent now"),
        components.facts(facts),
        *(components.notice(warning.words, "warn", "number-warning") for warning in preview.warnings),
        tag("div", style="height:.8rem"),
        components.table(("Profile", "Messages"), [*lines, *passed], numbers=(1,), testid="shares"),
        forecast.hourly_chart(preview.curve, zone, now),
    )
