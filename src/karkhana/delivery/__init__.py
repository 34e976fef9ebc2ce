"""Delivery: a change leaves the factory, as a commit on a branch, a patch file, and a report.

This room knows nothing of how a change was made or what its score is worth. It never touches the user's work
tree, index or HEAD, and runs no hook of the user's repository.
"""
