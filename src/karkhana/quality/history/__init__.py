"""What a repository's own past tells: features of each commit, and which commits turned out to be bad.

Reads commits through :mod:`karkhana.git` and never looks at a work tree. This folder knows nothing of models,
thresholds, tickets or what is done with the labels.

>>> # features(read_log(repository, "HEAD"))  ->  one row per commit that touched code
"""
