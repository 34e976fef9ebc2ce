"""Which model is asked, and which one next: by what it can do, how often it was right, and what it costs.

Pure where it can be: time, chance and storage are passed in. Knows nothing of HTTP, tickets or git.
"""
