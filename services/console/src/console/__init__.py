"""Console: the web pages for operators. The only services that it calls are ingress and stats, over their HTTP APIs."""
