"""The pacer's decisions: pure functions over rules, facts and a moment."""
