"""Pages: one module for each page of the console, and the table of their addresses."""

from collections.abc import Awaitable, Callable, Mapping

from console.pages import (
    alerts,
    changes,
    charts,
    compose,
    consent,
    conversations,
    message,
    messages,
    new,
    overview,
    package,
    people,
    profile,
    queue,
    reports,
    settings,
)
from console.pages.phones import import_file, new_phone, table

_PACKAGE = "/packages/{package_id}"

ROUTES: Mapping[str, Callable[..., Awaitable[None]]] = {
    "/": overview.show,
    "/alerts": alerts.show,
    "/people": people.show,
    "/phones": table.show_all,
    "/new": new.show_package,
    _PACKAGE: package.show,
    f"{_PACKAGE}/phones": table.show,
    f"{_PACKAGE}/phones/import": import_file.show,
    f"{_PACKAGE}/new-profile": new_phone.show,
    f"{_PACKAGE}/profiles/{{profile_id}}": profile.show,
    f"{_PACKAGE}/queue": queue.show,
    f"{_PACKAGE}/compose": compose.show,
    f"{_PACKAGE}/messages": messages.show,
    f"{_PACKAGE}/messages/{{message_id}}": message.show,
    f"{_PACKAGE}/conversations": conversations.show,
    f"{_PACKAGE}/consent": consent.show,
    f"{_PACKAGE}/charts": charts.show,
    f"{_PACKAGE}/reports": reports.show,
    f"{_PACKAGE}/settings": settings.show,
    f"{_PACKAGE}/changes": changes.show,
}
