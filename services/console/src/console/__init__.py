"""Console: the operators' web page. It calls the HTTP APIs of ingress and stats, and nothing else."""
