"""The path for small models: they are asked for one function at a time, and everything else is done for them.

A weak model loses its way in a free loop of tools, but often knows how one function should read. So the fault is
localised, the model rewrites the likeliest functions a few times, its slips are mended, and what it wrote is run,
compared and judged like any other candidate change. It acts through ``karkhana.engineers.symbolic``; that knows
nothing of models.
"""

from karkhana.engineers.llm.small.engineer import HybridEngineer, SmallModelEngineer

__all__ = ["HybridEngineer", "SmallModelEngineer"]
