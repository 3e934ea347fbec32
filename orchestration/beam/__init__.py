"""What Beam's workers need beside the project."""
