"""Fleet: all profiles and services on one page: does everything run, and how do the accounts fare?"""

from deploy.grafana.panels import Board, Figure, Panel, Row

SERVICES = 'job=~"ingress|router|pacer|sender|stats|console"'

BOARD = Board(
    uid="spreader-fleet",
    title="Spreader: fleet",
    description="Does everything run, and how do the accounts fare? Start here.",
    rows=(
        Row(
            "At a glance",
            (
                Figure(
                    "Services away",
                    "none",
                    "Above 0: start it; see ServiceAway in docs/operations.md.",
                    f"count(up{{{SERVICES}}} == 0) or vector(0)",
                    1,
                ),
                Figure(
                    "Profiles",
                    "none",
                    "How many are configured; no more than you pay for.",
                    "max(sum by (instance) (spreader_package_profiles))",
                ),
                Figure(
                    "Blocked for open chat",
                    "percentunit",
                    "Stop campaigns above a fifth: see FleetBlocked.",
                    'max(sum by (instance) (spreader_package_profiles{state="blocked"}))'
                    " / max(sum by (instance) (spreader_package_profiles))",
                    0.2,
                ),
                Figure(
                    "Lowest health",
                    "none",
                    "Under 40 open chat of that profile is paused: see docs/health.md.",
                    'min(spreader_package_health_points{of="lowest"})',
                ),
                Figure(
                    "Sent today, share of what is allowed",
                    "percentunit",
                    "Near 1: more profiles, or a longer wait.",
                    'max(sum by (instance) (spreader_package_day_deliveries{kind="sent_open"}))'
                    " / max(sum by (instance) (spreader_package_allowed_deliveries))",
                ),
                Figure(
                    "Limit breaches in 24 h",
                    "none",
                    "Must be 0: see LimitBreached.",
                    "sum(increase(spreader_limit_breaches_total[24h]))",
                    1,
                ),
            ),
        ),
        Row(
            "Accounts",
            (
                Panel(
                    "Profiles by their open lane",
                    "short",
                    "Blocked ones send no open chat; replies may go on.",
                    (("max by (state) (sum by (instance, state) (spreader_package_profiles))", "{{state}}"),),
                    True,
                ),
                Panel(
                    "Open alerts",
                    "short",
                    "The console names the profiles and the evidence. Critical needs a person.",
                    (("max by (kind) (sum by (instance, kind) (spreader_open_alerts)) > 0", "{{kind}}"),),
                    True,
                ),
                Panel(
                    "Health by package, lowest",
                    "short",
                    "Find what the falling ones have in common: text, hours, age.",
                    (('min by (package) (spreader_package_health_points{of="lowest"})', "{{package}}"),),
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                Panel(
                    "Accepted, released, sent",
                    "ops",
                    "Released far under accepted is pacing: see what holds it.",
                    (
                        ("sum(rate(spreader_accepted_deliveries_total[5m]))", "accepted"),
                        ("sum(rate(spreader_released_deliveries_total[5m]))", "released"),
                        ('sum(rate(spreader_sender_settled_deliveries_total{status="sent"}[5m]))', "sent"),
                    ),
                ),
                Panel(
                    "Answers of gateways",
                    "ops",
                    "A class that grows is a row in docs/delivery.md: it says who can help.",
                    (("sum by (result) (rate(spreader_sends_total[5m])) > 0", "{{result}}"),),
                    True,
                ),
                Panel(
                    "Requests that were not served",
                    "ops",
                    "`unavailable` and `internal` are ours: see ApiFails. The others are the caller's.",
                    (("sum by (kind) (rate(spreader_api_problems_total[5m])) > 0", "{{kind}}"),),
                ),
                Panel(
                    "Webhooks taken, by gateway",
                    "ops",
                    "Flat while we send: the gateway does not report. Check its set-up.",
                    (("sum by (driver, event) (rate(spreader_webhook_events_total[5m])) > 0", "{{driver}} {{event}}"),),
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Services that answer",
                    "short",
                    "0: it does not run, or Prometheus cannot reach it.",
                    ((f"sum by (job) (up{{{SERVICES}}})", "{{job}}"),),
                ),
                Panel(
                    "Parts in trouble",
                    "short",
                    "GET /health/ready of that service says the reason in words.",
                    (("max by (job, part) (spreader_troubled_parts) > 0", "{{job}}: {{part}}"),),
                ),
                Panel(
                    "Memory",
                    "bytes",
                    "Grows with profiles, not with held deliveries; a line that only rises is a leak.",
                    ((f"process_resident_memory_bytes{{{SERVICES}}}", "{{job}} {{instance}}"),),
                ),
                Panel(
                    "Processor",
                    "percentunit",
                    "1 is a whole core: a service at 1 needs another instance.",
                    ((f"rate(process_cpu_seconds_total{{{SERVICES}}}[5m])", "{{job}} {{instance}}"),),
                ),
                Panel(
                    "Started",
                    "s",
                    "How long ago each process started, and what it is. Drops are restarts.",
                    (
                        (
                            "(time() - process_start_time_seconds) * on (job, instance) group_left (version)"
                            " max by (job, instance, version) (spreader_build_info)",
                            "{{job}} {{version}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
