"""Contract: the events, configuration, contents and ids that all services share."""
