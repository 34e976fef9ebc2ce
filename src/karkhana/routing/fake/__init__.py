"""A provider that needs no key and no network: it speaks every wire on loopback and answers by a script.

This package knows nothing of routing; it is asked like any provider.
"""
