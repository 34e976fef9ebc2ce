"""Language models: providers' wires, which one is asked, what it costs, and the gateway for other programs.

This package knows nothing of tickets, workspaces or git.
"""
