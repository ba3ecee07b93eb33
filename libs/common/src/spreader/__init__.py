"""Spreader's common library: the language that the services share and the plumbing under them; never a decision."""
