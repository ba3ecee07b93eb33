"""Message page: the progress of one message, and the list of its deliveries. Each delivery has an explanation of its
status."""

from collections.abc import Awaitable, Callable, Mapping

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.api_models import ApiDelivery, ApiDeliveryList, ApiMessage
from console.core.markup import join, tag
from console.core.progress import done, explanation_steps, finished_words, is_cancellable, parts, status_words, tone
from console.data.api import CallSucceeded
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import error_text, run_action
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query

ROWS = 50
COLOURS = {"read": "read", "delivered": "delivered", "sent": "sent", "released": "released", "failed": "failed"}


async def show(page: LivePage, package_id: str, message_id: str) -> None:
    context = page.context
    message = Query("ingress", f"/messages/{message_id}", ApiMessage)
    await context.cache.load(PACKAGES, message, profiles_query(package_id))
    with stack("page-head"):
        back = components.link("Messages", f"/packages/{package_id}/messages", "small", "back")
        page.live_html(lambda: tag("div", back, _title(context.latest(message), message_id)))
        cancel = button("Cancel what is held", lambda: dialog.open(), "button-danger").props('data-testid="cancel"')
    dialog = _cancel_dialog(page, message_id, message)

    def update() -> None:
        latest = context.latest(message)
        cancel.set_visibility(latest is not None and is_cancellable(latest))

    page.on_update(update)
    page.stale_notices(lambda: context.page_data(message, "counts"))
    page.fade_when_old(
        page.live_html(lambda: _counts(context.latest(message)), testid="counts"), lambda: context.is_old(message)
    )
    DeliveryTable(page, package_id, message_id).build()


def _cancel_dialog(page: LivePage, message_id: str, message: Query[ApiMessage]) -> ui.dialog:
    async def cancel() -> None:
        dialog.close()
        success = "Cancelling. Nothing more is sent, except where a call to the gateway has already begun."
        if await run_action(page.context, "POST", "ingress", f"/messages/{message_id}/cancel", success=success):
            page.context.cache.refresh(message)

    with ui.dialog() as dialog, ui.card():
        html(tag("h2", "Cancel what is still held?"))
        html(tag("p", "What is with the gateway already cannot be taken back. This cannot be undone.", class_="soft"))
        with stack("line"):
            button("Let it go on", dialog.close)
            button("Cancel it", cancel, "button-danger").props('data-testid="cancel-surely"')
    return dialog


def _title(message: ApiMessage | None, message_id: str) -> Markup:
    if message is None:
        return tag("h1", "Message")
    status = components.badge(*status_words(message))
    stops = (
        components.badge("cancelling", "warn") if message.cancel_requested_at and message.counts.get("held") else None
    )
    name = tag("h1", f"{message.type.title()} to {formats.plural(message.recipients, 'recipient')}")
    return join(tag("div", name, status, stops, class_="line"), tag("p", tag("code", message_id), class_="soft"))


def _counts(message: ApiMessage | None) -> Markup:
    if message is None:
        return join()
    bar = components.parts_bar(parts(message), message.recipients, f"{done(message)} of {message.recipients} done")
    legend = [
        tag("span", tag("i", class_=f"fill-{COLOURS.get(name, 'off')}"), f"{name} ", tag("b", formats.count(number)))
        for name, number in message.counts.items()
        if number
    ]
    beside = tag("span", finished_words(message), class_="soft num")
    return components.card(
        bar,
        tag("div", *legend, class_="legend", style="margin-top:.7rem"),
        _waiting(message),
        title="Progress",
        beside=beside,
    )


def _waiting(message: ApiMessage) -> Markup | None:
    if not message.waiting_for_profile:
        return None
    words = (
        f"{formats.count(message.waiting_for_profile)} of these wait without a profile, because no profile of the "
        "package can send now. They are shared out as soon as one can."
    )
    return components.notice(words, "warn")


class DeliveryTable:
    """A table of the message's deliveries. The table shows one page of the list at a time."""

    def __init__(self, page: LivePage, package_id: str, message_id: str) -> None:
        self._page = page
        self._package_id = package_id
        self._path = f"/messages/{message_id}/deliveries?limit={ROWS}"
        self._cursors = [""]
        self._shown: ApiDeliveryList | None = None
        self._lines: dict[str, DeliveryLine] = {}
        """The lines on the current page of the list, by delivery id."""

    def build(self) -> None:
        with stack("card"):
            with stack("card-head"):
                html(tag("h2", "Deliveries"))
                with stack("line"):
                    self._back = button("Back", self._go_back)
                    self._next = button("Next", self._go_on)
            text = "No delivery is known yet: the router is still choosing profiles."
            self._placeholder = html(tag("p", text, class_="soft"))
            self._placeholder.set_visibility(False)  # hidden until the first answer, because there may be deliveries
            self._place = stack("stack tight")
        self._page.on_update(self._update)

    @property
    def _query(self) -> Query[ApiDeliveryList]:
        return Query("ingress", self._path + self._cursors[-1], ApiDeliveryList, interval_seconds=2.0)

    def _update(self) -> None:
        page = self._page.context.latest(self._query)
        self._back.set_enabled(len(self._cursors) > 1)
        self._next.set_enabled(page is not None and page.next_cursor is not None)
        if page is None or page is self._shown:
            return
        self._shown = page
        self._placeholder.set_visibility(not page.data)
        ids, names = [delivery.delivery_id for delivery in page.data], self._names()
        for gone in self._lines.keys() - set(ids):
            self._lines.pop(gone).box.delete()
        for index, delivery in enumerate(page.data):
            if delivery.delivery_id not in self._lines:
                with self._place:
                    self._lines[delivery.delivery_id] = DeliveryLine(self._explanation)
            line = self._lines[delivery.delivery_id]
            if self._place.default_slot.children[index] is not line.box:
                line.box.move(target_index=index)
            line.show(delivery, names)

    async def _explanation(self, delivery_id: str) -> Markup:
        result = await self._page.context.api.get("ingress", f"/deliveries/{delivery_id}/explain", 12.0)
        if not isinstance(result, CallSucceeded):
            return components.notice(error_text(result, "ingress"), "bad")
        steps = explanation_steps(
            result.body, self._names(), self._page.context.zone(self._package_id), self._page.context.now()
        )
        return tag(
            "ul",
            *(tag("li", step.words, class_="on" if step.is_now else None) for step in steps),
            class_="steps",
            style="margin:.3rem 0 .6rem .4rem",
        )

    def _names(self) -> Mapping[str, str]:
        return self._page.context.profile_names(self._package_id)

    def _go_on(self) -> None:
        if self._shown is not None and self._shown.next_cursor is not None:
            self._cursors.append(f"&cursor={self._shown.next_cursor}")
            self._update()

    def _go_back(self) -> None:
        self._cursors.pop()
        self._update()


class DeliveryLine:
    """One delivery with its status and its *Why?* button, which shows an explanation of the status.

    An explanation that was made for an earlier status of the delivery is shown in a paler colour.
    """

    def __init__(self, explain: Callable[[str], Awaitable[Markup]]) -> None:
        self._explain = explain
        self._delivery: ApiDelivery | None = None
        with stack("line").style("border-bottom:1px solid var(--line);padding-bottom:.5rem") as self.box:
            self._words = html(join()).style("flex:1;min-width:12rem")
            self._why = html(join()).style("order:3;flex-basis:100%").props('data-testid="explained"')
            self._ask = button("Why?", self._show_explanation, "button-bare").props('data-testid="why"')

    def show(self, delivery: ApiDelivery, names: Mapping[str, str]) -> None:
        self._words.set_content(_render_delivery(delivery, names))
        if self._delivery is None or delivery.status != self._delivery.status:
            self._why.classes("old")
            self._ask.props(f'aria-label="Why is the delivery to {delivery.recipient[-4:]} {delivery.status}"')
        self._delivery = delivery

    async def _show_explanation(self) -> None:
        if (delivery := self._delivery) is None:
            return
        explanation = await self._explain(delivery.delivery_id)
        if not self.box.is_deleted:
            self._why.set_content(explanation)
            self._why.classes(remove="old" if self._delivery.status == delivery.status else None)


def _render_delivery(delivery: ApiDelivery, names: Mapping[str, str]) -> Markup:
    through = names.get(delivery.profile_id or "", delivery.profile_id or "no profile yet")
    status = components.badge(delivery.status, tone(delivery.status), delivery.reason)
    reason = tag("span", delivery.reason, class_="small soft") if delivery.reason else None
    number = tag("span", formats.phone(delivery.recipient), class_="num")
    return tag("div", number, status, tag("span", through, class_="soft small"), reason, class_="line")
