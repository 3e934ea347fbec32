"""Measurements of the project, run by hand; see README.md in this folder."""
