"""Exports: rows of stats as files, made while a client reads them."""
