"""Core of the pacer: pure functions over rules, facts and the current time. No I/O."""
