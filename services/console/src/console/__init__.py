"""The console: the operators' web page. It talks only HTTP, to the ingress and the stats."""
