"""Configs: find one by name, override its variables, refuse unknown keys."""
