"""Access: how a process shows Kafka who it is, and the rules that say what it may do."""
