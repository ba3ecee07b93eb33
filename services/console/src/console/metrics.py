"""Metrics: every number that the console shows about itself."""

from prometheus_client import Counter, Gauge

from spreader.telemetry.metrics import from_zero

ASKED = Counter("spreader_console_asked", "Questions to other services, by what came back.", ["service", "answer"])
PAGES = Gauge("spreader_console_open_pages", "Pages that are open in browsers now.")
SIGN_INS = Counter("spreader_console_sign_ins", "Tries to sign in, by whether they succeeded.", ["success"])

from_zero(SIGN_INS, ("yes", "no"))
