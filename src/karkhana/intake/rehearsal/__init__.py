"""Services that answers go to, for rehearsals and tests: on loopback, in memory, strict about what they are asked.

They keep what was said, so that it can be looked at, and fail on demand. They know nothing of who asks.
"""
