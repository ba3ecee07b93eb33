"""HTTP API of stats: states, history, reports, alerts and the event stream."""
