"""What outcomes teach: which strategies failed and why, what is proposed in their place, and what is admitted.

Knows nothing of how a change is made or delivered; whoever uses it says how a strategy is tried.
"""
