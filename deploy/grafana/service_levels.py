"""Service level dashboard: replies in time, releases in time, nothing lost, no limit breached."""

from deploy.grafana.panels import Board, Figure, Panel, Row

BOARD = Board(
    uid="spreader-service-levels",
    title="Spreader: service levels",
    description="Replies within 2 s (99 %), releases within 1 s (99 %), lost 0, limit breaches 0.",
    rows=(
        Row(
            "Must be 0",
            (
                Figure(
                    "Lost deliveries",
                    "none",
                    "Accepted, unfinished, and at no service: see DeliveriesLost.",
                    "spreader:lost_deliveries:sum",
                    1,
                ),
                Figure(
                    "Limit breaches in 7 days",
                    "none",
                    "Counted independently by stats: see LimitBreached.",
                    "sum(increase(spreader_limit_breaches_total[7d]))",
                    1,
                ),
                Figure(
                    "Dead letters in 7 days",
                    "none",
                    "`python -m spreader replay` lists them: see DeadLetters.",
                    "sum(increase(spreader_dead_letters_records_total[7d]))",
                    1,
                ),
                Figure(
                    "Firing alerts that page",
                    "none",
                    "docs/alerts.md has a chapter for each.",
                    'count(ALERTS{alertstate="firing", severity="page"}) or vector(0)',
                    1,
                ),
            ),
        ),
        Row(
            "Replies: 99 % within 2 s",
            (
                Panel(
                    "Reply latency: accepted to gateway acknowledgement",
                    "s",
                    "Includes the gateway's own time: compare with Calls, 99 %.",
                    (
                        ("spreader:reply_seconds:p99_5m", "99 %"),
                        ("histogram_quantile(0.5, sum by (le) (rate(spreader_reply_seconds_bucket[5m])))", "50 %"),
                    ),
                ),
                Panel(
                    "Share over 2 s",
                    "percentunit",
                    "0.01 is the service level; RepliesSlow fires at 0.144.",
                    (
                        ("spreader:reply_late:ratio_5m", "5 min"),
                        ("spreader:reply_late:ratio_1h", "1 h"),
                        ("spreader:reply_late:ratio_6h", "6 h"),
                    ),
                ),
                Figure(
                    "Within the level, 30 days",
                    "percentunit",
                    "Under 0.99 the service level is missed: make fewer changes.",
                    'sum(increase(spreader_reply_seconds_bucket{le="2.0"}[30d]))'
                    " / sum(increase(spreader_reply_seconds_count[30d]))",
                ),
            ),
        ),
        Row(
            "Releases: 99 % within 1 s",
            (
                Panel(
                    "Lateness of releases",
                    "s",
                    "No limit is broken by it. Start another pacer: see ReleasesLate.",
                    (("spreader:release_lateness_seconds:p99_5m", "99 %"),),
                ),
                Panel(
                    "Share over 1 s",
                    "percentunit",
                    "0.01 is the service level; ReleasesLate fires at 0.05.",
                    (("spreader:release_late:ratio_30m", "30 min"), ("spreader:release_late:ratio_6h", "6 h")),
                ),
                Figure(
                    "Within the level, 30 days",
                    "percentunit",
                    "Under 0.99 the service level is missed.",
                    'sum(increase(spreader_release_lateness_seconds_bucket{le="1.0"}[30d]))'
                    " / sum(increase(spreader_release_lateness_seconds_count[30d]))",
                ),
            ),
        ),
        Row(
            "Reconciliation and audit",
            (
                Panel(
                    "Unfinished for 15 minutes, by service",
                    "short",
                    "The pacer may have many, and for long. The others should empty.",
                    (("max by (service) (spreader_unsettled_deliveries)", "{{service}}"),),
                ),
                Panel(
                    "Missed at",
                    "short",
                    "Deliveries that ingress counts at a service and the service does not have: see DeliveriesLost.",
                    (
                        ("spreader:lost_deliveries:router", "router"),
                        ("spreader:lost_deliveries:pacer", "pacer"),
                        ("spreader:lost_deliveries:sender", "sender"),
                    ),
                ),
                Panel(
                    "Deliveries checked by the limit audit",
                    "ops",
                    "0 while we send: the audit does not run. Read the log of stats.",
                    (("sum(rate(spreader_recounted_deliveries_total[5m]))", "recounted"),),
                ),
                Panel(
                    "Opt-outs in an hour",
                    "short",
                    "A jump during a campaign: stop it and look at the list.",
                    (("sum(increase(spreader_opt_outs_total[1h]))", "opt-outs"),),
                ),
            ),
        ),
    ),
)
