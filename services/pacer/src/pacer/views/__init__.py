"""Views: forecasts, explanations and the published pace. They change no delivery."""
