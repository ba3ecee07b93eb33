"""Router: recipients that one process routes a second, the time of a reply's hop, and memory."""
