"""Karkhana: a self-hosted software factory. Tickets in, verified changes out, with a trail of every decision."""

__version__ = "0.1.0"

__all__ = ["__version__"]
