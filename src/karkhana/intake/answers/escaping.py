"""Words of strangers, so that they are words only: nobody is called, nothing is linked, nothing is markup.

Knows Markdown as GitHub reads it (GitHub Flavored Markdown; mentions and references are found in the text after
it was rendered, so that a backslash does not stop them) and Slack's "Formatting text for app surfaces".

>>> markdown("@octo/team see #1 <b>").replace(APART, "|")
'@|octo/team see \\\\#|1 \\\\<b\\\\>'
>>> slack("<!channel> & <@U1>")
'&lt;!channel&gt; &amp; &lt;@U1&gt;'
"""

import re
from html import escape

APART = "\u200b"
"""A space without width: it parts a sign from the name that it would call."""
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$-])")
_CALLING = re.compile(r"([@#]|://|\bGH-|\bwww\.)", re.IGNORECASE)
_TICKS = re.compile(r"`{3,}")


def markdown(text: str) -> str:
    """One paragraph of plain words in Markdown."""
    flat = " ".join(text.split())
    return _CALLING.sub(rf"\1{APART}", _MARKUP.sub(r"\\\1", flat))


def fenced(text: str) -> str:
    """A block in Markdown in which nothing has a meaning."""
    fence = "`" * max(3, 1 + max((len(found) for found in _TICKS.findall(text)), default=0))
    return f"{fence}text\n{text.strip()}\n{fence}"


def slack(text: str) -> str:
    """Words in Slack's own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_block(text: str) -> str:
    """A block in Slack's markup, as it was written."""
    return "```" + slack(text.strip().replace("`", "\u02cb")) + "```"


def html(text: str) -> str:
    """Words in HTML, line by line."""
    return "<br>".join(escape(text).splitlines())
