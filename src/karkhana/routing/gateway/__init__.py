"""The gateway: other programs ask it as they would ask a provider, on the wire that they speak.

Knows nothing of tickets. A request walks through: door (which wire) → client (who asks) → peek (model, size) →
caller (breakers, failover, hedges) → books (reserve, settle) → reply (passed on, or translated).
"""
