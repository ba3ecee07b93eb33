"""Media: the files of messages, with their types, their store and safe downloads."""
