"""What code does when it runs: spectra, fast validation of candidates, observation, behaviour classes.

This room knows nothing of tickets, models, engineers or delivery. It never runs code of a repository itself: it
prepares jobs for the programs in ``probes/``, hands them to a ``Run`` (a command in somebody's sandbox) and reads
the answers.
"""
