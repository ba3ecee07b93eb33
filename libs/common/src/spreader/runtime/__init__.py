"""Runtime: the components of a service process and how it starts and stops."""
