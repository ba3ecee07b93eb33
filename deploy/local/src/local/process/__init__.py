"""Process: programs of this machine, the ports they listen on, and what keeps them running."""
