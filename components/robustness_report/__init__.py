"""Measures what common changes of an image cost a model's accuracy."""
