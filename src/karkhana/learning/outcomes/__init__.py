"""Outcomes: what became of delivered changes, found in trails and histories, and the track records that they make.

Knows nothing of how changes are made, scored or delivered.
"""
