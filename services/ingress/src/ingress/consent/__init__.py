"""Consent: suppressions and opt-ins."""
