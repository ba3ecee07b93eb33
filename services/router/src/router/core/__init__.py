"""The router's decisions: pure functions over configuration, state and conversations."""
