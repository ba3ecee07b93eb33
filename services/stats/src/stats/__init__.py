"""The stats: how does each profile fare? Folds outcomes and customers' messages into rolling windows."""
