"""Message body: builds the request body of a message from the fields of the compose page."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from spreader.phone.dressed_number import NoNumber, read_number

KINDS: Mapping[str, str] = {
    "text": "Text", "image": "Image", "voice": "Voice", "document": "Document", "video": "Video",
    "template": "Template",
}  # fmt: skip
CAPTIONED = ("image", "document", "video")


class InvalidField(ValueError):
    """The text in a field is not valid. `pointer` names the field, and the message says which texts are valid."""

    def __init__(self, pointer: str, words: str) -> None:
        super().__init__(words)
        self.pointer = pointer


def content(typed: Mapping[str, Any]) -> dict[str, Any]:
    kind = typed["type"]
    if kind == "text":
        return {"type": kind, "text": typed.get("text") or ""}
    if kind == "template":
        return {"type": kind, "template": _template(typed)}
    media = {name: typed[field] for name, field in (("url", "url"), ("filename", "filename")) if typed.get(field)}
    caption = {"caption": typed["caption"]} if kind in CAPTIONED and typed.get("caption") else {}
    return {"type": kind, "media": media, **caption}


def options(typed: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The options of the message. Operators type times in the package's time zone, which is `zone`."""
    strategy = typed.get("waiting_strategy") or "queued"
    result: dict[str, Any] = {"waiting_strategy": strategy}
    if typed.get("schedule_at"):
        result["schedule_at"] = _time("/options/schedule_at", typed["schedule_at"], zone)
    if strategy == "drip" and typed.get("drip_interval_minutes"):
        result["drip_interval_minutes"] = _minutes(typed["drip_interval_minutes"])
    if typed.get("expires_at"):
        result["expires_at"] = _time("/options/expires_at", typed["expires_at"], zone)
    return result


def open_body(typed: Mapping[str, Any], recipients: list[str], zone: str) -> dict[str, Any]:
    chosen = {"distribution": typed["distribution"]} if typed.get("distribution") else {}
    return {**content(typed), "recipients": recipients, **chosen, "options": options(typed, zone)}


def reply_body(typed: Mapping[str, Any], country: str | None = None) -> dict[str, Any]:
    """`country`: the country to which national numbers belong."""
    recipient = read_number(typed.get("recipient") or "", country)
    if isinstance(recipient, NoNumber):
        raise InvalidField("/recipient", recipient.reason)
    return {**content(typed), "recipient": recipient}


def _template(typed: Mapping[str, Any]) -> dict[str, Any]:
    try:
        components = json.loads(typed.get("components") or "[]")
    except ValueError:
        raise InvalidField("/template/components", "components are a JSON list, such as [] or [{…}]") from None
    name, language = typed.get("template_name") or "", typed.get("language") or ""
    return {"name": name, "language": language, "components": components}


def _time(pointer: str, typed: str, zone: str) -> str:
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except ValueError:
        raise InvalidField(pointer, "a day and a time, such as 2026-03-01 10:00") from None


def _minutes(typed: Any) -> float:
    try:
        return float(typed)
    except ValueError:
        raise InvalidField("/options/drip_interval_minutes", "a number of minutes, such as 5") from None
