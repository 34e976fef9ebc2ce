"""The one place where rooms meet: the durable line, its engine, the queue's workers, and how they are put together.

Knows nothing of terminals or HTTP.
"""
