"""The config file: one model, read with every problem reported at once."""
