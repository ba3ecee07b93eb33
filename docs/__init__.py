"""Docs: the pages beside this file, and the program that writes the generated ones (`make docs`)."""
