"""Places: the name of each page, which the navigation, the heading and the title of the browser tab show."""

GENERAL_LINKS = (
    ("/", "Packages", "overview"), ("/phones", "All phones", "phone"), ("/alerts", "Alerts", "alerts"),
    ("/people", "People", "search"),
)  # fmt: skip
PACKAGE_LINKS = (
    ("", "Live", "live"), ("/phones", "Phones", "phone"), ("/queue", "Queue and pacing", "queue"),
    ("/compose", "Compose", "compose"),
    ("/messages", "Messages", "messages"), ("/conversations", "Conversations", "conversations"),
    ("/consent", "Consent", "consent"), ("/charts", "Charts", "charts"), ("/reports", "Reports", "reports"),
    ("/settings", "Settings", "settings"), ("/changes", "History", "history"),
)  # fmt: skip
"""The pages in the navigation: address, name and icon. The addresses in `PACKAGE_LINKS` follow `/packages/{id}`."""

_OTHERS = {"/new": "New package"}
_OTHERS_OF_PACKAGE = {
    "new-profile": "Add a phone", "phones": "Import phones", "profiles": "Phone", "messages": "Message",
}  # fmt: skip


def place_name(path: str) -> str:
    """The name of the page at this path. Empty if there is no such page."""
    general = {to: name for to, name, _ in GENERAL_LINKS} | _OTHERS
    if not path.startswith("/packages/"):
        return general.get(path, "")
    rest = path.split("/")[3:]
    if len(rest) <= 1:
        names = {to[1:]: name for to, name, _ in PACKAGE_LINKS} | {"new-profile": _OTHERS_OF_PACKAGE["new-profile"]}
        return names.get(rest[0] if rest else "", "")
    return _OTHERS_OF_PACKAGE.get(rest[0], "")


def tab_title(path: str, package: str, alerts: int) -> str:
    """The title of the browser tab: `(3) Settings · Demo · Spreader`. `alerts`: how many are not acknowledged."""
    count = f"({alerts}) " if alerts else ""
    return count + " · ".join(part for part in (place_name(path) or "Page not found", package, "Spreader") if part)
