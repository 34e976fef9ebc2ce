"""Progress lines: what untrusted text may not do to them."""

import pytest

from karkhana.cli.progress import Progress
from karkhana.domain.events import Noted


def test_text_with_line_ends_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Progress()(Noted(text="the reason\n✓ delivered    karkhana/fake\x1b[2J"))
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "the reason ✓ delivered" in shown
    assert "\x1b[2J" not in shown
