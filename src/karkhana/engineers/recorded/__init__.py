"""Engineers of the past: recorded runs of other agents, worked through again by our tools.

One file per recorder's format turns a recording into :class:`~karkhana.engineers.recorded.recording.Recording`; the
engineer carries it out. Knows nothing of models, queues and of where recordings are kept.
"""

from karkhana.engineers.recorded.engineer import RecordedEngineer
from karkhana.engineers.recorded.recording import Recording, Unreadable

__all__ = ["RecordedEngineer", "Recording", "Unreadable"]
