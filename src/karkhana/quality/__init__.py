"""Quality: is this change right, and how sure are we?

Gates measure a change and give evidence; the review reads its diff; confidence turns both into one number.
This room knows nothing of delivery, engineers or how a workspace is made: it sees a
:class:`karkhana.ports.GateContext` and nothing else. Whether a person or a machine made the change is
not known here either, so both are measured alike.

>>> from karkhana.quality.verify import verify
>>> from karkhana.quality.confidence import score
"""
