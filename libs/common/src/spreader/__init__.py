"""Spreader's common library: the language and the technical parts that all services share. It decides nothing."""
