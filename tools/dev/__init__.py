"""Measure and stress-test the project itself; no wheel ships this folder."""
