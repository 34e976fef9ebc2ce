"""Measurements at full size, with real components. ``python -m benchmarks`` runs them all."""
