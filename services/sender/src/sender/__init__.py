"""Sender: sends deliveries through gateway drivers. It is the only service that calls gateways."""
