"""Text: similarity and redaction of texts."""
