"""Answers to where tickets came from: one client for each kind of door, behind one Protocol.

This package knows services and their words; it knows nothing of when something is to be said, nor of queues.
"""
