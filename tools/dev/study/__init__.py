"""The study behind ``docs/results.md``: ladders of runs, figures, tables."""
