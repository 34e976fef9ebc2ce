"""Guarantee: how far the score may decide alone, with a bound on how often that is wrong.

Works on plain sequences of (score, good or bad). Knows nothing of evidence, tickets, storage, or who asks.

>>> from karkhana.quality.guarantee.binomial import needed
>>> needed(alpha=0.10, delta=0.10)
22
"""
