"""Package dashboard: one of the largest packages. The console has the figures of each profile."""

from deploy.grafana.panels import Board, Figure, Panel, Row

OF = 'package="$package"'


def _today(kind: str) -> str:
    return f'max(spreader_package_day_deliveries{{{OF}, kind="{kind}"}})'


BOARD = Board(
    uid="spreader-package",
    title="Spreader: package",
    description="One package: its accounts and its last 24 hours. The console shows each profile.",
    package=True,
    rows=(
        Row(
            "Now",
            (
                Figure(
                    "Profiles",
                    "none",
                    "Profiles of the package.",
                    f"max(sum by (instance) (spreader_package_profiles{{{OF}}}))",
                ),
                Figure(
                    "Blocked",
                    "none",
                    "Above 0: the console's alerts say why, and until when.",
                    f'max(spreader_package_profiles{{{OF}, state="blocked"}})',
                    1,
                ),
                Figure(
                    "Lowest health",
                    "none",
                    "Under 60 look at its components in the console; under 40 it is paused.",
                    f'min(spreader_package_health_points{{{OF}, of="lowest"}})',
                ),
                Figure(
                    "Sent in 24 h, share of the limits",
                    "percentunit",
                    "Near 1: add profiles, or accept longer waits.",
                    f"{_today('sent_open')} / max(spreader_package_allowed_deliveries{{{OF}}})",
                ),
            ),
        ),
        Row(
            "Accounts",
            (
                Panel(
                    "Profiles by state of their open lane",
                    "short",
                    "Limited: the limit factor is below 1 after a sign of a block.",
                    ((f"max by (state) (spreader_package_profiles{{{OF}}})", "{{state}}"),),
                    True,
                ),
                Panel(
                    "Health",
                    "short",
                    "If the mean falls, look at the text or the list; if only the lowest falls, at one account.",
                    ((f"max by (of) (spreader_package_health_points{{{OF}}})", "{{of}}"),),
                ),
            ),
        ),
        Row(
            "The last 24 hours, rolling",
            (
                Panel(
                    "Sent, delivered, read",
                    "short",
                    "Delivered far under sent: WhatsApp holds back messages. Slow down.",
                    tuple((_today(kind), kind) for kind in ("sent", "delivered", "read", "failed")),
                ),
                Panel(
                    "Customers",
                    "short",
                    "Many new contacts with few answers get accounts blocked. Write to known contacts.",
                    tuple((_today(kind), kind) for kind in ("received", "answered", "new_contacts")),
                ),
                Panel(
                    "Shares",
                    "percentunit",
                    "Delivered under 0.9 or failed over 0.1: check the list of numbers.",
                    tuple(
                        (f"{_today(kind)} / ({_today('sent')} > 0)", kind) for kind in ("delivered", "read", "failed")
                    ),
                ),
            ),
        ),
    ),
)
