"""Which passing change is right, and how probably? Looks, behaviour, evidence, a calibrated model."""
