"""The dashboard: pages over what the factory keeps, for people who decide.

Server-rendered, readable without JavaScript, no asset from elsewhere. Knows how things look and who is let in; knows
nothing of how a ticket is solved, and decides nothing itself.
"""
