"""The router: who sends this? Sticky for replies, by strategy for open chat."""
