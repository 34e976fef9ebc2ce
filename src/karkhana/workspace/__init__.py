"""Where work is done: sandboxes, the files in them, the tool interface, test running, target environments.

This room knows nothing of tickets, models, gates or delivery.
"""
