"""HTTP/1.1 for programs that pass messages on: a pooled client, a guarded server, a streaming reverse proxy.

This package knows nothing of models, keys, budgets or canaries.
"""
