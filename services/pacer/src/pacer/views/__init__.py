"""Views: forecasts, explanations and paces. They change nothing."""
