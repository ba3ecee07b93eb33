"""Pipeline: where records and deliveries wait on their way, from acceptance to the gateway and back."""

from deploy.grafana.panels import Board, Panel, Row

BOARD = Board(
    uid="spreader-pipeline",
    title="Spreader: pipeline and lag",
    description="Where records and deliveries wait, from acceptance to the gateway and back.",
    rows=(
        Row(
            "Kafka",
            (
                Panel(
                    "Records behind",
                    "short",
                    "Rising for minutes: its handler fails or has too much to do. More instances share it.",
                    (("spreader:consumer_lag_records:sum", "{{group}}: {{topic}}"),),
                ),
                Panel(
                    "Age of the oldest unread record",
                    "s",
                    "Seconds on the way of replies are customers who wait: see ReplyLag.",
                    (("spreader:consumer_oldest_seconds:max", "{{group}}: {{topic}}"),),
                ),
                Panel(
                    "Read",
                    "ops",
                    "How much each group reads; 0 with records behind is a stuck consumer.",
                    (("sum by (group) (rate(spreader_consumed_records_total[5m]))", "{{group}}"),),
                ),
            ),
        ),
        Row(
            "Tried again, buried",
            (
                Panel(
                    "Batches and turns that failed",
                    "ops",
                    "The log of that service has the cause.",
                    (
                        ("sum by (group) (rate(spreader_handler_failures_total[5m])) > 0", "batches of {{group}}"),
                        ("sum by (job, loop) (rate(spreader_loop_failures_total[5m])) > 0", "{{job}}: {{loop}}"),
                    ),
                ),
                Panel(
                    "Dead letters in 24 h",
                    "short",
                    "`python -m spreader replay` shows them and sends them again.",
                    (("sum by (group) (increase(spreader_dead_letters_records_total[24h]))", "{{group}}"),),
                ),
                Panel(
                    "Results of an older claim",
                    "ops",
                    "Another worker took over: leases ended. Look for a slow sender.",
                    (("sum by (lane) (rate(spreader_sender_fenced_results_total[5m]))", "{{lane}}"),),
                ),
            ),
        ),
        Row(
            "Ingress",
            (
                Panel(
                    "Outbox",
                    "short",
                    "Empties at some 3,000 recipients a second. Flat above 0: see OutboxStuck.",
                    (("max(spreader_outbox_waiting_records)", "records"),),
                ),
                Panel(
                    "First in the outbox",
                    "s",
                    "Grows during a large import; alone and for minutes it is stuck.",
                    (("max(spreader_outbox_oldest_seconds)", "oldest"),),
                ),
                Panel(
                    "Until a message is in Kafka, 99 %",
                    "s",
                    "Above 0.5: Kafka is slow to acknowledge.",
                    (
                        (
                            "histogram_quantile(0.99, sum by (le, lane) (rate(spreader_accept_seconds_bucket[5m])))",
                            "{{lane}}",
                        ),
                    ),
                ),
                Panel(
                    "Answers without the word awaited",
                    "ops",
                    "Router or sender did not answer in time; the message goes on.",
                    (("sum by (lane) (rate(spreader_unanswered_messages_total[5m]))", "{{lane}}"),),
                ),
            ),
        ),
        Row(
            "Router and pacer",
            (
                Panel(
                    "Routed",
                    "ops",
                    "Another profile: the first could not send it. Many: look at accounts.",
                    (
                        (
                            "sum by (lane, strategy) (rate(spreader_routed_deliveries_total[5m])) > 0",
                            "{{lane}} {{strategy}}",
                        ),
                        ("sum by (lane) (rate(spreader_refused_deliveries_total[5m])) > 0", "{{lane}} refused"),
                    ),
                ),
                Panel(
                    "Held",
                    "short",
                    "Due: their own moment has come, a bound of their profile holds them. Both may be large.",
                    (("max(spreader_held_deliveries)", "held"), ("max(spreader_due_deliveries)", "due")),
                ),
                Panel(
                    "What holds releases",
                    "ops",
                    "How often a profile was found waiting for each bound. The console explains one delivery.",
                    (("sum by (bound) (rate(spreader_bound_waits_total[5m])) > 0", "{{bound}}"),),
                    True,
                ),
                Panel(
                    "Releases by what they waited for",
                    "ops",
                    "Mostly `gap`: paced. Mostly a limit: more is asked than is allowed.",
                    (("sum by (bound) (rate(spreader_bound_releases_total[5m])) > 0", "{{bound}}"),),
                    True,
                ),
            ),
        ),
        Row(
            "Sender",
            (
                Panel(
                    "With the sender",
                    "short",
                    "Open: at most what gateways take. Growing: they are slow or away.",
                    (
                        ("max by (lane) (spreader_sender_unsettled_deliveries)", "{{lane}}"),
                        ("sum by (lane) (spreader_sends_in_flight)", "{{lane}} in flight"),
                    ),
                ),
                Panel(
                    "Due and not claimed",
                    "s",
                    "All slots are taken, or the pump fails: see RepliesUnclaimed.",
                    (("max by (lane) (spreader_sender_overdue_seconds)", "{{lane}}"),),
                ),
                Panel(
                    "Outcomes not in Kafka",
                    "short",
                    "A few at any moment. Growing: Kafka does not take them.",
                    (("max by (lane) (spreader_sender_unpublished_events)", "{{lane}}"),),
                ),
                Panel(
                    "Hosts let alone",
                    "short",
                    "Gateways that do not answer; tried again by themselves.",
                    (("max by (client) (spreader_gateway_breakers_open)", "{{client}}"),),
                ),
            ),
        ),
        Row(
            "Gateways",
            (
                Panel(
                    "Calls, 99 %",
                    "s",
                    "Above 5: the gateway is slow. Its own metrics, then its machine.",
                    (
                        (
                            "histogram_quantile(0.99, sum by (le, driver, lane)"
                            " (rate(spreader_send_seconds_bucket[5m])))",
                            "{{driver}} {{lane}}",
                        ),
                    ),
                ),
                Panel(
                    "In doubt",
                    "ops",
                    "The gateway took a request and did not answer; asked again or told by its report.",
                    (
                        ("sum by (lane) (rate(spreader_sends_in_doubt_total[5m]))", "{{lane}}"),
                        ("rate(spreader_sender_heard_receipts_total[5m])", "settled by a report"),
                    ),
                ),
                Panel(
                    "Webhooks not believed",
                    "ops",
                    "Set the same secret on both sides, compare clocks; else somebody forges them.",
                    (
                        (
                            "sum by (driver, reason) (rate(spreader_webhook_refusals_total[5m])) > 0",
                            "{{driver}}: {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Profiles asked about",
                    "ops",
                    "not_ok is for a person; away for whoever runs the gateway.",
                    (("sum by (result) (rate(spreader_profile_checks_total[15m])) > 0", "{{result}}"),),
                ),
            ),
        ),
    ),
)
