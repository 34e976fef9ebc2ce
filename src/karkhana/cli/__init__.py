"""The command line: how commands look and what they print. Knows no rule of the business."""
