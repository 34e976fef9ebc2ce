"""Writes a model's answers down in the trail, whatever it was asked for. Knows nothing of what becomes of them."""

import msgspec

from karkhana.domain.events import ModelAnswered
from karkhana.domain.money import written
from karkhana.ports import ChatModel, Said, Trail


def tell(trail: Trail, model: ChatModel, said: Said, *, purpose: str, turn: int, duration_s: float = 0.0) -> None:
    """Record an answer; ``turn`` counts those of this purpose, from 1."""
    trail.record(
        ModelAnswered(
            turn=turn,
            purpose=purpose,
            model=model.name,
            place=said.place,
            answer=msgspec.to_builtins(said.answer),
            cost_usd="" if said.cost is None else written(said.cost),
            duration_s=duration_s,
            recalled=said.recalled,
        )
    )
