"""Marks text that nobody vouches for, so that a model can tell material from orders.

The mark holds a part that the text's author cannot know, and is taken out of the text if it is there all the same.
Fencing lowers the chance that a model obeys material; that nothing bad comes of it is the sandbox's work.

>>> Fence("material-7f3a").around("x")
'<material-7f3a>\\nx\\n</material-7f3a>'
"""

import secrets


class Fence:
    """One run's mark."""

    def __init__(self, name: str = "") -> None:
        self.name = name or f"material-{secrets.token_hex(4)}"

    def around(self, text: str) -> str:
        """The text between the marks; marks within it are broken."""
        inner = text.replace(self.name, "material").removesuffix("\n")
        return f"<{self.name}>\n{inner}\n</{self.name}>"
