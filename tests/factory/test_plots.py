"""Coordinates of plots."""

import pytest

from karkhana.factory.plots import Plot, ceiling, floor, steps


def test_the_corners_and_what_lies_outside():
    plot = Plot(width=300, height=200, x=(0, 2), y=(0, 1))
    assert plot.at(0, 0) == (48, 160)
    assert plot.at(2, 1) == (276, 12)
    assert plot.at(9, -1) == plot.at(2, 0)
    assert plot.path([(0, 0), (2, 1)]) == "48,160 276,12"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.05), (0, 0.3), (0, 11), (2, 7)])
def test_marks_are_few_and_round(low, high):
    marks = steps(low, high)
    assert 2 <= len(marks) <= 6
    assert low <= marks[0]
    assert marks[-1] <= high + 1e-9


def test_axes_end_above_their_values():
    assert ceiling([0.02, 0.07], 0.05) == 0.1
    assert ceiling([], 0.1) == 0.1
    assert ceiling([0.9], 0.1) == 1.0
    assert [tick.text for tick in Plot(x=(0, 1), y=(0, 0.1)).ticks_x()] == [
        "0 %",
        "20 %",
        "40 %",
        "60 %",
        "80 %",
        "100 %",
    ]


def test_axes_begin_below_their_values():
    assert [floor(values) for values in ([0.81, 1.0], [0.86], [0.3, 0.9], [0.1], [])] == [0.6, 0.8, 0.2, 0.0, 0.0]
