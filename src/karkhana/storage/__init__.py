"""The database, the queue's and the runs' rows, and the hash-chained trail with its replayer.

This package knows nothing of what events mean to the line, of engineers, models or delivery. Import from its modules:
``database`` (open it), ``tasks``, ``runs``, ``event_log``, ``redaction``, ``replay``.
"""
