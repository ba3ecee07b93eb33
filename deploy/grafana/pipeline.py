"""Pipeline dashboard: where records and deliveries wait, from acceptance to the gateway and back."""

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
                    "Unprocessed records",
                    "short",
                    "Rising for minutes: the handler fails or is overloaded. Start another instance.",
                    (("spreader:consumer_lag_records:sum", "{{group}}: {{topic}}"),),
                ),
                Panel(
                    "Age of the oldest unprocessed record",
                    "s",
                    "On reply topics every second is a customer who waits: see ReplyLag.",
                    (("spreader:consumer_oldest_seconds:max", "{{group}}: {{topic}}"),),
                ),
                Panel(
                    "Records read",
                    "ops",
                    "0 with unprocessed records: the consumer is stuck. Read the service's log.",
                    (("sum by (group) (rate(spreader_consumed_records_total[5m]))", "{{group}}"),),
                ),
            ),
        ),
        Row(
            "Failures",
            (
                Panel(
                    "Failed batches and loops",
                    "ops",
                    "The service's log has the cause.",
                    (
                        ("sum by (group) (rate(spreader_handler_failures_total[5m])) > 0", "batches of {{group}}"),
                        ("sum by (job, loop) (rate(spreader_loop_failures_total[5m])) > 0", "{{job}}: {{loop}}"),
                    ),
                ),
                Panel(
                    "Dead letters in 24 h",
                    "short",
                    "`python -m spreader replay` lists and replays them.",
                    (("sum by (group) (increase(spreader_dead_letters_records_total[24h]))", "{{group}}"),),
                ),
                Panel(
                    "Results of old claims",
                    "ops",
                    "Leases expired and another worker took over. Look for a slow sender.",
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
                    "Empties at about 3,000 recipients a second. Flat above 0: see OutboxStuck.",
                    (("max(spreader_outbox_waiting_records)", "records"),),
                ),
                Panel(
                    "Oldest record in the outbox",
                    "s",
                    "Grows during a large import. Otherwise, for minutes: see OutboxStuck.",
                    (("max(spreader_outbox_oldest_seconds)", "oldest"),),
                ),
                Panel(
                    "Time until a message is in Kafka, 99 %",
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
                    "Responses without the awaited answer",
                    "ops",
                    "Router or sender did not answer in time; the message is still processed. Many: look at their lag.",
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
                    "`another profile`: the first could not send it. Many: look at the accounts.",
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
                    "Due: their not-before has passed and a bound of their profile holds them. Both may be large.",
                    (("max(spreader_held_deliveries)", "held"), ("max(spreader_due_deliveries)", "due")),
                ),
                Panel(
                    "What holds releases",
                    "ops",
                    "How often a profile waited for each bound. The console explains one delivery.",
                    (("sum by (bound) (rate(spreader_bound_waits_total[5m])) > 0", "{{bound}}"),),
                    True,
                ),
                Panel(
                    "Releases by what they waited for",
                    "ops",
                    "Mostly `gap`: paced as intended. Mostly a limit: add profiles.",
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
                    "Growing: gateways are slow or do not answer.",
                    (
                        ("max by (lane) (spreader_sender_unsettled_deliveries)", "{{lane}}"),
                        ("sum by (lane) (spreader_sends_in_flight)", "{{lane}} in flight"),
                    ),
                ),
                Panel(
                    "Due and not claimed",
                    "s",
                    "All slots are in use, or the dispatcher fails: see RepliesUnclaimed.",
                    (("max by (lane) (spreader_sender_overdue_seconds)", "{{lane}}"),),
                ),
                Panel(
                    "Unpublished outcomes",
                    "short",
                    "A few are normal. Growing: Kafka does not accept them.",
                    (("max by (lane) (spreader_sender_unpublished_events)", "{{lane}}"),),
                ),
                Panel(
                    "Open circuit breakers",
                    "short",
                    "Gateway hosts that do not answer; they are tried again by themselves.",
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
                    "Above 5: the gateway is slow. Look at its own metrics, then its machine.",
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
                    "The gateway accepted a request and did not answer. Check the gateway and proxies.",
                    (
                        ("sum by (lane) (rate(spreader_sends_in_doubt_total[5m]))", "{{lane}}"),
                        ("rate(spreader_sender_heard_receipts_total[5m])", "settled by a report"),
                    ),
                ),
                Panel(
                    "Webhook calls that failed verification",
                    "ops",
                    "Set the same secret on both sides and compare clocks; otherwise somebody forges calls.",
                    (
                        (
                            "sum by (driver, reason) (rate(spreader_webhook_refusals_total[5m])) > 0",
                            "{{driver}}: {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    "Checks of profiles",
                    "ops",
                    "`not_ok` needs an operator, `away` the gateway's administrator.",
                    (("sum by (result) (rate(spreader_profile_checks_total[15m])) > 0", "{{result}}"),),
                ),
            ),
        ),
    ),
)
