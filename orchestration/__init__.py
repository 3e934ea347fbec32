"""The same pipeline under orchestrators that schedule it."""
