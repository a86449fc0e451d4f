"""Data preparation: find or download data, verify it, put it into place."""
