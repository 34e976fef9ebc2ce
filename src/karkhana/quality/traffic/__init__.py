"""Recorded requests, and what an application answers to them before and after a change.

Recordings are read on the host as data; the application runs in the sandbox only. Knows nothing of gates.
"""
