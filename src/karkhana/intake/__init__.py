"""The doors that tickets come in by: GitHub, Slack, helpdesks, alerts, mail.

Knows nothing of how a ticket is solved, of the queue, or of who may ask for what: a door verifies that a delivery is
what it says it is, and reads it.
"""
