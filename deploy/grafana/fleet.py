"""Fleet dashboard: whether everything runs, and the state of all accounts."""

from deploy.grafana.panels import Board, Figure, Panel, Row

SERVICES = 'job=~"ingress|router|pacer|sender|stats|console"'

BOARD = Board(
    uid="spreader-fleet",
    title="Spreader: fleet",
    description="Whether everything runs, and the state of all accounts. Start here.",
    rows=(
        Row(
            "At a glance",
            (
                Figure(
                    "Services down",
                    "none",
                    "Above 0: start the service; see ServiceAway in docs/alerts.md.",
                    f"count(up{{{SERVICES}}} == 0) or vector(0)",
                    1,
                ),
                Figure(
                    "Profiles",
                    "none",
                    "Configured profiles. Check that it is as many as you expect.",
                    "max(sum by (instance) (spreader_package_profiles))",
                ),
                Figure(
                    "Blocked for open messages",
                    "percentunit",
                    "Above a fifth stop campaigns: see FleetBlocked.",
                    'max(sum by (instance) (spreader_package_profiles{state="blocked"}))'
                    " / max(sum by (instance) (spreader_package_profiles))",
                    0.2,
                ),
                Figure(
                    "Lowest health",
                    "none",
                    "Under 40 the profile's open messages are paused: see docs/health.md.",
                    'min(spreader_package_health_points{of="lowest"})',
                ),
                Figure(
                    "Sent in 24 h, share of the limits",
                    "percentunit",
                    "Near 1: add profiles, or accept longer waits.",
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
                    "Profiles by state of their open lane",
                    "short",
                    "Blocked profiles send no open messages; replies may continue.",
                    (("max by (state) (sum by (instance, state) (spreader_package_profiles))", "{{state}}"),),
                    True,
                ),
                Panel(
                    "Open alerts",
                    "short",
                    "The console shows the profiles and the evidence. Critical ones need an operator.",
                    (("max by (kind) (sum by (instance, kind) (spreader_open_alerts)) > 0", "{{kind}}"),),
                    True,
                ),
                Panel(
                    "Lowest health by package",
                    "short",
                    "If several fall, find what they have in common: text, hours, age.",
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
                    "Released far under accepted is pacing: see What holds releases.",
                    (
                        ("sum(rate(spreader_accepted_deliveries_total[5m]))", "accepted"),
                        ("sum(rate(spreader_released_deliveries_total[5m]))", "released"),
                        ('sum(rate(spreader_sender_settled_deliveries_total{status="sent"}[5m]))', "sent"),
                    ),
                ),
                Panel(
                    "Answers of gateways",
                    "ops",
                    "If a class grows, docs/failures.md explains it.",
                    (("sum by (result) (rate(spreader_sends_total[5m])) > 0", "{{result}}"),),
                    True,
                ),
                Panel(
                    "Problems returned",
                    "ops",
                    "`unavailable` and `internal` are our faults: see ApiFails. The others are the caller's.",
                    (("sum by (kind) (rate(spreader_api_problems_total[5m])) > 0", "{{kind}}"),),
                ),
                Panel(
                    "Webhook reports by gateway",
                    "ops",
                    "None while we send: the gateway does not report. Check its webhook settings.",
                    (("sum by (driver, event) (rate(spreader_webhook_events_total[5m])) > 0", "{{driver}} {{event}}"),),
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Instances that answer",
                    "short",
                    "0: the service does not run, or Prometheus cannot reach it.",
                    ((f"sum by (job) (up{{{SERVICES}}})", "{{job}}"),),
                ),
                Panel(
                    "Components not ready",
                    "short",
                    "GET /health/ready of the service gives the reason.",
                    (("max by (job, part) (spreader_troubled_parts) > 0", "{{job}}: {{part}}"),),
                ),
                Panel(
                    "Memory",
                    "bytes",
                    "Grows with profiles, not with held deliveries. A line that only rises is a leak.",
                    ((f"process_resident_memory_bytes{{{SERVICES}}}", "{{job}} {{instance}}"),),
                ),
                Panel(
                    "Processor",
                    "percentunit",
                    "1 is one core. A service at 1 needs another instance.",
                    ((f"rate(process_cpu_seconds_total{{{SERVICES}}}[5m])", "{{job}} {{instance}}"),),
                ),
                Panel(
                    "Time since start",
                    "s",
                    "How long each process runs, and its version. Drops are restarts.",
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
