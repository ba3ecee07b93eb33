"""Router: how many recipients one process routes a second, how long a reply takes through it, and how much memory it
needs."""
