"""Router: how many recipients one process shares out a second, how long a reply's hop takes, what memory it needs."""
