"""Programs that ask the pushed model."""
