"""Media: files of messages: their types, their store, and safe downloads."""
