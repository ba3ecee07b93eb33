"""Service levels: the promises as numbers: replies in time, releases in time, nothing lost, no limit breached."""

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
                    "Deliveries with nobody",
                    "none",
                    "Accepted, without an end, held by none: see DeliveriesLost.",
                    "spreader:lost_deliveries:sum",
                    1,
                ),
                Figure(
                    "Limit breaches in 7 days",
                    "none",
                    "Counted anew by stats: see LimitBreached.",
                    "sum(increase(spreader_limit_breaches_total[7d]))",
                    1,
                ),
                Figure(
                    "Dead letters in 7 days",
                    "none",
                    "`python -m spreader replay` shows them: see DeadLetters.",
                    "sum(increase(spreader_dead_letters_records_total[7d]))",
                    1,
                ),
                Figure(
                    "Alerts that page",
                    "none",
                    "docs/operations.md has a chapter for each.",
                    'count(ALERTS{alertstate="firing", severity="page"}) or vector(0)',
                    1,
                ),
            ),
        ),
        Row(
            "Replies: 99 % within 2 s",
            (
                Panel(
                    "From acceptance to the gateway's yes",
                    "s",
                    "The gateway's own time is part of it: compare with its calls.",
                    (
                        ("spreader:reply_seconds:p99_5m", "99 %"),
                        ("histogram_quantile(0.5, sum by (le) (rate(spreader_reply_seconds_bucket[5m])))", "50 %"),
                    ),
                ),
                Panel(
                    "Share over 2 s",
                    "percentunit",
                    "0.01 is the promise; RepliesSlow begins at 0.144.",
                    (
                        ("spreader:reply_late:ratio_5m", "5 min"),
                        ("spreader:reply_late:ratio_1h", "1 h"),
                        ("spreader:reply_late:ratio_6h", "6 h"),
                    ),
                ),
                Figure(
                    "Kept in 30 days",
                    "percentunit",
                    "Under 0.99 the promise is broken: slow down changes.",
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
                    "Limits hold all the same. More pacers share the profiles: see ReleasesLate.",
                    (("spreader:release_lateness_seconds:p99_5m", "99 %"),),
                ),
                Panel(
                    "Share over 1 s",
                    "percentunit",
                    "0.01 is the promise; ReleasesLate begins at 0.05.",
                    (("spreader:release_late:ratio_30m", "30 min"), ("spreader:release_late:ratio_6h", "6 h")),
                ),
                Figure(
                    "Kept in 30 days",
                    "percentunit",
                    "Under 0.99 the promise is broken.",
                    'sum(increase(spreader_release_lateness_seconds_bucket{le="1.0"}[30d]))'
                    " / sum(increase(spreader_release_lateness_seconds_count[30d]))",
                ),
            ),
        ),
        Row(
            "The books",
            (
                Panel(
                    "Without an end for 15 minutes, by who has it",
                    "short",
                    "The pacer's may be many and old. The others should empty.",
                    (("max by (service) (spreader_unsettled_deliveries)", "{{service}}"),),
                ),
                Panel(
                    "Missed at",
                    "short",
                    "Which service does not have what ingress has seen with it.",
                    (
                        ("spreader:lost_deliveries:router", "router"),
                        ("spreader:lost_deliveries:pacer", "pacer"),
                        ("spreader:lost_deliveries:sender", "sender"),
                    ),
                ),
                Panel(
                    "Held against the limits again",
                    "ops",
                    "0 while we send: nobody recounts. Look at the log of stats.",
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
