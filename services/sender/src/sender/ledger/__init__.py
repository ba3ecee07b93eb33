"""Ledger: deliveries with their claims and results, stored in Postgres."""
