"""Data: the console's access to the APIs of ingress and stats, and its sessions and spreadsheets."""
