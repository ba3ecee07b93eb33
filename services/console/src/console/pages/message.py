"""Message page: how far one message has come, each of its deliveries, and why one waits or went wrong."""

from collections.abc import Awaitable, Callable, Mapping

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.api_models import Deliveries, Delivery, Message
from console.core.markup import tag, together
from console.core.progress import done, is_cancellable, parts, story, tone
from console.data.api import Given
from console.data.polling_cache import Question
from console.ui import components
from console.ui.actions import act, trouble
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of

ROWS = 50
COLOURS = {"read": "read", "delivered": "delivered", "sent": "sent", "released": "released", "failed": "failed"}


async def show(screen: Screen, package_id: str, message_id: str) -> None:
    desk = screen.desk
    message = Question("ingress", f"/messages/{message_id}", Message)
    await desk.feed.first(PACKAGES, message, profiles_of(package_id))
    with stack("page-head"):
        back = components.link("Messages", f"/packages/{package_id}/messages", "small", "back")
        screen.piece(lambda: tag("div", back, _title(desk.look(message), message_id)))
        cancel = button("Cancel what is held", lambda: dialog.open(), "button-danger").props('data-testid="cancel"')
    dialog = _cancel_dialog(screen, message_id, message)

    def look() -> None:
        known = desk.look(message)
        cancel.set_visibility(known is not None and is_cancellable(known))

    screen.follow(look)
    screen.notices(lambda: desk.part(message, "counts"))
    screen.dim(screen.piece(lambda: _counts(desk.look(message)), testid="counts"), lambda: desk.is_old(message))
    DeliveryList(screen, package_id, message_id).build()


def _cancel_dialog(screen: Screen, message_id: str, message: Question[Message]) -> ui.dialog:
    async def cancel() -> None:
        dialog.close()
        said = "Cancelling: what is still held stops; what has been released goes out."
        if await act(screen.desk, "POST", "ingress", f"/messages/{message_id}/cancel", said=said):
            screen.desk.feed.again(message)

    with ui.dialog() as dialog, ui.card():
        html(tag("h2", "Cancel what is still held?"))
        html(tag("p", "What is with the gateway already cannot be taken back. This cannot be undone.", class_="soft"))
        with stack("line"):
            button("Let it go on", dialog.close)
            button("Cancel it", cancel, "button-danger").props('data-testid="cancel-surely"')
    return dialog


def _title(message: Message | None, message_id: str) -> Markup:
    if message is None:
        return tag("h1", "Message")
    status = components.badge(message.status.replace("_", " "), tone(message.status))
    stops = (
        components.badge("cancelling", "warn") if message.cancel_requested_at and message.counts.get("held") else None
    )
    name = tag("h1", f"{message.type.title()} to {formats.plural(message.recipients, 'recipient')}")
    return together(tag("div", name, status, stops, class_="line"), tag("p", tag("code", message_id), class_="soft"))


def _counts(message: Message | None) -> Markup:
    if message is None:
        return together()
    bar = components.parts_bar(parts(message), message.recipients, f"{done(message)} of {message.recipients} done")
    legend = [
        tag("span", tag("i", class_=f"fill-{COLOURS.get(name, 'off')}"), f"{name} ", tag("b", formats.count(number)))
        for name, number in message.counts.items()
        if number
    ]
    beside = tag(
        "span", f"{formats.count(done(message))} of {formats.count(message.recipients)} done", class_="soft num"
    )
    return components.card(
        bar, tag("div", *legend, class_="legend", style="margin-top:.7rem"), title="Progress", beside=beside
    )


class DeliveryList:
    """A page of deliveries, and the explanations of those that are asked about."""

    def __init__(self, screen: Screen, package_id: str, message_id: str) -> None:
        self._screen = screen
        self._package_id = package_id
        self._path = f"/messages/{message_id}/deliveries?limit={ROWS}"
        self._cursors = [""]
        self._shown: Deliveries | None = None
        self._lines: dict[str, DeliveryLine] = {}
        """By delivery; those that are shown."""

    def build(self) -> None:
        with stack("card"):
            with stack("card-head"):
                html(tag("h2", "Deliveries"))
                with stack("line"):
                    self._back = button("Back", self._go_back)
                    self._on = button("Next", self._go_on)
            nobody = "No delivery is known yet: the router is still choosing profiles."
            self._nobody = html(tag("p", nobody, class_="soft"))
            self._nobody.set_visibility(False)  # nothing is known yet, not even that
            self._place = stack("stack tight")
        self._screen.follow(self._look)

    @property
    def _question(self) -> Question[Deliveries]:
        return Question("ingress", self._path + self._cursors[-1], Deliveries, every_seconds=2.0)

    def _look(self) -> None:
        known = self._screen.desk.look(self._question)
        self._back.set_enabled(len(self._cursors) > 1)
        self._on.set_enabled(known is not None and known.next_cursor is not None)
        if known is None or known is self._shown:
            return
        self._shown = known
        self._nobody.set_visibility(not known.data)
        ids, names = [each.delivery_id for each in known.data], self._names()
        for gone in self._lines.keys() - set(ids):
            self._lines.pop(gone).box.delete()
        for place, delivery in enumerate(known.data):
            if delivery.delivery_id not in self._lines:
                with self._place:
                    self._lines[delivery.delivery_id] = DeliveryLine(self._explained)
            line = self._lines[delivery.delivery_id]
            if self._place.default_slot.children[place] is not line.box:
                line.box.move(target_index=place)
            line.show(delivery, names)

    async def _explained(self, delivery_id: str) -> Markup:
        answer = await self._screen.desk.api.get("ingress", f"/deliveries/{delivery_id}/explain", 12.0)
        if not isinstance(answer, Given):
            return components.notice(trouble(answer, "ingress"), "bad")
        steps = story(answer.body, self._names())
        return tag("ul", *(tag("li", each.words, class_="on" if each.is_now else None) for each in steps),
                   class_="steps", style="margin:.3rem 0 .6rem .4rem")  # fmt: skip

    def _names(self) -> Mapping[str, str]:
        return {each.profile_id: each.name for each in self._screen.desk.profiles(self._package_id)}

    def _go_on(self) -> None:
        if self._shown is not None and self._shown.next_cursor is not None:
            self._cursors.append(f"&cursor={self._shown.next_cursor}")
            self._look()

    def _go_back(self) -> None:
        self._cursors.pop()
        self._look()


class DeliveryLine:
    """What becomes of one delivery. Its words follow it; its button and its explanation stay, whatever changes.

    An explanation of what it is not any more is shown as old.
    """

    def __init__(self, explained: Callable[[str], Awaitable[Markup]]) -> None:
        self._explained = explained
        self._delivery: Delivery | None = None
        with stack("line").style("border-bottom:1px solid var(--line);padding-bottom:.5rem") as self.box:
            self._words = html(together()).style("flex:1;min-width:12rem")
            self._why = html(together()).style("order:3;flex-basis:100%").props('data-testid="explained"')
            self._ask = button("Why?", self._explain, "button-bare").props('data-testid="why"')

    def show(self, delivery: Delivery, names: Mapping[str, str]) -> None:
        self._words.set_content(_line(delivery, names))
        if self._delivery is None or delivery.status != self._delivery.status:
            self._why.classes("old")
            self._ask.props(f'aria-label="Why is the delivery to {delivery.recipient[-4:]} {delivery.status}"')
        self._delivery = delivery

    async def _explain(self) -> None:
        if (asked := self._delivery) is None:
            return
        explained = await self._explained(asked.delivery_id)
        if not self.box.is_deleted:
            self._why.set_content(explained)
            self._why.classes(remove="old" if self._delivery.status == asked.status else None)


def _line(delivery: Delivery, names: Mapping[str, str]) -> Markup:
    through = names.get(delivery.profile_id or "", delivery.profile_id or "no profile yet")
    status = components.badge(delivery.status, tone(delivery.status), delivery.reason)
    reason = tag("span", delivery.reason, class_="small soft") if delivery.reason else None
    number = tag("span", formats.phone(delivery.recipient), class_="num")
    return tag("div", number, status, tag("span", through, class_="soft small"), reason, class_="line")
