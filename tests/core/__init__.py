"""Specification of the pipeline itself: settings, cache keys, wiring, training, gates, screen."""
