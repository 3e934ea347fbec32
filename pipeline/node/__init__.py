"""One node at a time: the program that orchestrators stand on, `python -m pipeline.node`."""
