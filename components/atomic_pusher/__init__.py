"""Publishes blessed models, whole and numbered."""
