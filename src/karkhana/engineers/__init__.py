"""Engineers: whoever works on a ticket, through the tools and nothing else.

This package knows nothing of queues, gates, decisions or delivery.
"""
