"""How likely a change is to turn out bad, from what its repository's past says; and in which way.

Knows features and outcomes, never who asks; nothing here runs code of a change. What is heavy (scikit-learn) is only
imported by :mod:`karkhana.quality.risk.ensemble`.

>>> # prior_risk(features)  ->  0.07, without any outcome of the repository
"""
