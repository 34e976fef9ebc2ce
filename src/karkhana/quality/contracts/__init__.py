"""What a program promises to those outside it, and what of that a change takes back.

``openapi/`` compares two descriptions of an HTTP interface. Knows nothing of gates, workspaces or delivery.
"""
