"""A small history: a rebate that is added where it should be taken off, its fix, and later tests."""

START = {
    "basket.py": 'def total(prices, rebate=0):\n    """Sum of the prices."""\n    return sum(prices) + rebate\n\n\n'
    "def cheapest(prices):\n    return min(prices)\n",
    "tests/test_basket.py": "from basket import total\n\n\ndef test_sum():\n    assert total([1, 2]) == 3\n",
}
FIX = {
    "basket.py": START["basket.py"].replace("+ rebate", "- rebate"),
    "tests/test_basket.py": START["tests/test_basket.py"]
    + "\n\ndef test_rebate():\n    assert total([5, 7], 2) == 10\n    assert total([3], 1) == 2\n",
}
LATER = {
    "tests/test_basket.py": FIX["tests/test_basket.py"]
    + "\n\ndef test_free():\n    assert total([], 1) == -1\n    assert total([2, 2, 2], 3) == 3\n",
}
