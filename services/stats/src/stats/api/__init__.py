"""HTTP API of stats: states, history, reports, alerts, exports and the event stream."""
