"""Hidden id: the `@lid` under which WhatsApp hides a customer's number; here it can be told back."""


def hidden(phone: str) -> str:
    """The customer's hidden id: digits, as long as WhatsApp's."""
    return f"9{len(phone):02}{phone[::-1]}"


def revealed(lid: str) -> str | None:
    """The number behind a hidden id; None where it is not one of ours."""
    phone = lid[3:][::-1]
    return phone if lid.isdecimal() and hidden(phone) == lid else None


def chat(phone: str, domain: str, lid: bool) -> str:
    """A chat's name: by the number, or by the hidden id of it."""
    return f"{hidden(phone)}@lid" if lid else f"{phone}@{domain}"
