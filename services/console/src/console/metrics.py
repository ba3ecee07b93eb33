"""Metrics: every metric that the console exports."""

from prometheus_client import Counter, Gauge

from spreader.telemetry.metrics import from_zero

API_CALLS = Counter("spreader_console_asked", "Calls to ingress and stats, by result.", ["service", "answer"])
OPEN_PAGES = Gauge("spreader_console_open_pages", "Pages that are open in browsers.")
SIGN_INS = Counter("spreader_console_sign_ins", "Sign-in attempts, by success.", ["success"])

from_zero(SIGN_INS, ("yes", "no"))
