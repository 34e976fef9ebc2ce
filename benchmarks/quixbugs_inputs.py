"""Fresh legitimate inputs for each QuixBugs program, by its own documentation. Used only to judge repairs.

Every function takes a ``random.Random`` and returns the arguments of one call; ``node`` is the class that the data
set's programs are given graphs in.
"""

import itertools
from collections.abc import Callable
from random import Random
from typing import Any

Arguments = list[Any]
Maker = Callable[[Random, Any], Arguments]


def _numbers(random: Random, low: int = -9, high: int = 9, most: int = 8) -> list[int]:
    return [random.randint(low, high) for _ in range(random.randint(0, most))]


def _distinct(random: Random, most: int = 8) -> list[int]:
    return random.sample(range(30), random.randint(0, most))


def _word(random: Random, letters: str = "abc", most: int = 7) -> str:
    return "".join(random.choice(letters) for _ in range(random.randint(0, most)))


def _graph(random: Random, node: Any) -> list[Any]:
    nodes = [node(value=n, successors=[]) for n in range(random.randint(1, 6))]
    for one in nodes:
        one.successors = random.sample(nodes, random.randint(0, len(nodes)))
    return nodes


def _search(random: Random, node: Any) -> Arguments:
    nodes = _graph(random, node)
    goal = random.choice([*nodes, node(value="elsewhere", successors=[])])
    return [random.choice(nodes), goal]


def _linked(random: Random, node: Any) -> list[Any]:
    nodes = [node(value=n) for n in range(random.randint(1, 7))]
    for one, other in itertools.pairwise(nodes):
        one.successor = other
    return nodes


def _maybe_cyclic(random: Random, node: Any) -> Arguments:
    nodes = _linked(random, node)
    if random.random() < 0.5:
        nodes[-1].successor = random.choice(nodes)
    return [nodes[0]]


def _list_of_nodes(random: Random, node: Any) -> Arguments:
    return [_linked(random, node)[0] if random.random() < 0.9 else None]


def _sorted_search(random: Random, node: Any) -> Arguments:
    values = sorted(_numbers(random, 0, 12, 10))
    return [values, random.randint(-1, 13)]


def _nested(random: Random, depth: int = 0) -> list[Any]:
    return [
        _nested(random, depth + 1) if depth < 3 and random.random() < 0.4 else random.randint(0, 9)
        for _ in range(random.randint(0, 4))
    ]


def _hanoi(random: Random, node: Any) -> Arguments:
    start, end = random.sample([1, 2, 3], 2)
    return [random.randint(0, 6), start, end]


def _parentheses(random: Random, node: Any) -> Arguments:
    return [_word(random, "()", 10)]


def _kheap(random: Random, node: Any) -> Arguments:
    k = random.randint(1, 4)
    values = sorted(_numbers(random, 0, 30, 10))
    for start in range(0, len(values), k + 1):
        part = values[start : start + k + 1]
        random.shuffle(part)
        values[start : start + k + 1] = part
    return [values, k] if len(values) >= k else [[*values, *range(40, 40 + k)], k]


def _knapsack(random: Random, node: Any) -> Arguments:
    items = [[random.randint(1, 12), random.randint(1, 20)] for _ in range(random.randint(0, 6))]
    return [random.randint(0, 30), items]


def _kth(random: Random, node: Any) -> Arguments:
    values = [*_numbers(random), random.randint(-9, 9)]
    return [values, random.randrange(len(values))]


def _spanning(random: Random, node: Any) -> Arguments:
    count = random.randint(2, 6)
    edges = {(i, random.randint(0, i - 1)) for i in range(1, count)}
    edges |= {tuple(random.sample(range(count), 2)) for _ in range(random.randint(0, 5))}  # type: ignore[misc]
    weights = random.sample(range(1, 60), len(edges))
    return [dict(zip(sorted(edges), weights, strict=True))]


def _digits(random: Random, node: Any) -> Arguments:
    half = [random.choice([9, 9, random.randint(0, 9)]) for _ in range(random.randint(1, 3))]
    half[0] = half[0] or 1
    return [half + half[::-1] if random.random() < 0.5 else half + half[-2::-1]]


def _permutation(random: Random, node: Any) -> Arguments:
    while True:
        values = random.sample(range(12), random.randint(2, 7))
        if values != sorted(values, reverse=True):
            return [values]


def _polish(random: Random, node: Any) -> Arguments:
    tokens: list[Any] = [float(random.randint(1, 9))]
    for _ in range(random.randint(0, 5)):
        tokens += [float(random.randint(1, 9)), random.choice("+-*/")]
    return [tokens]


def _infix(random: Random, node: Any) -> Arguments:
    tokens: list[Any] = [random.randint(1, 9)]
    for _ in range(random.randint(0, 6)):
        tokens += [random.choice("+-*/"), random.randint(1, 9)]
    return [tokens if random.random() < 0.95 else []]


def _path_length(random: Random, node: Any) -> Arguments:
    # Comparable nodes: the programs put (distance, node) pairs on a heap.
    nodes = [_Ordered(node, n) for n in range(random.randint(1, 6))]
    lengths: dict[Any, int] = {}
    for one in nodes:
        one.successors = random.sample(nodes, random.randint(0, len(nodes)))
        for other in one.successors:
            lengths[one, other] = random.randint(1, 20)
    return [lengths, nodes[0], random.choice(nodes)]


def _Ordered(node: Any, value: int) -> Any:  # noqa: N802 - makes instances like a class
    kind = type("Ordered", (node,), {"__lt__": lambda a, b: a.value < b.value})
    return kind(value=value, successors=[])


def _path_lengths(random: Random, node: Any) -> Arguments:
    count = random.randint(1, 5)
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j and random.random() < 0.5]
    return [count, {pair: random.randint(1, 20) for pair in pairs}]


def _paths(random: Random, node: Any) -> Arguments:
    count = random.randint(2, 5)
    # Acyclic, so that negative weights are legitimate.
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count) if random.random() < 0.7] or [(0, 1)]
    names = "ABCDE"
    return [names[0], {(names[i], names[j]): random.randint(-5, 20) for i, j in pairs}]


def _topological(random: Random, node: Any) -> Arguments:
    nodes = [node(value=n, incoming_nodes=[], outgoing_nodes=[]) for n in range(random.randint(1, 7))]
    for i, one in enumerate(nodes):
        for other in nodes[i + 1 :]:
            if random.random() < 0.4:
                one.outgoing_nodes.append(other)
                other.incoming_nodes.append(one)
    random.shuffle(nodes)
    return [nodes]


def _wrap(random: Random, node: Any) -> Arguments:
    # Shorter than a line, because the reference never ends on a word that does not fit behind a space.
    words = " ".join("a" + _word(random, "abcd", 6) for _ in range(random.randint(0, 8)))
    return [words, random.randint(8, 15)]


MAKERS: dict[str, Maker] = {
    "bitcount": lambda r, n: [r.randint(0, 100_000)],
    "breadth_first_search": _search,
    "bucketsort": lambda r, n: [_numbers(r, 0, 9, 12), 10],
    "depth_first_search": _search,
    "detect_cycle": _maybe_cyclic,
    "find_first_in_sorted": _sorted_search,
    "find_in_sorted": _sorted_search,
    "flatten": lambda r, n: [_nested(r)],
    "gcd": lambda r, n: [r.randint(0, 300), r.randint(0, 300)],
    "get_factors": lambda r, n: [r.randint(1, 2000)],
    "hanoi": _hanoi,
    "is_valid_parenthesization": _parentheses,
    "kheapsort": _kheap,
    "knapsack": _knapsack,
    "kth": _kth,
    "lcs_length": lambda r, n: [_word(r), _word(r)],
    "levenshtein": lambda r, n: [_word(r, "abc", 5), _word(r, "abc", 5)],
    "lis": lambda r, n: [_distinct(r)],
    "longest_common_subsequence": lambda r, n: [_word(r), _word(r)],
    "max_sublist_sum": lambda r, n: [_numbers(r)],
    "mergesort": lambda r, n: [_numbers(r)],
    "minimum_spanning_tree": _spanning,
    "next_palindrome": _digits,
    "next_permutation": _permutation,
    "pascal": lambda r, n: [r.randint(1, 9)],
    "possible_change": lambda r, n: [sorted(r.sample(range(1, 15), r.randint(0, 4))), r.randint(0, 30)],
    "powerset": lambda r, n: [_distinct(r, 5)],
    "quicksort": lambda r, n: [_numbers(r)],
    "reverse_linked_list": _list_of_nodes,
    "rpn_eval": _polish,
    "shortest_path_length": _path_length,
    "shortest_path_lengths": _path_lengths,
    "shortest_paths": _paths,
    "shunting_yard": _infix,
    "sieve": lambda r, n: [r.randint(0, 80)],
    "sqrt": lambda r, n: [r.randint(1, 60), r.choice([0.1, 0.01, 0.001])],
    "subsequences": lambda r, n: [r.randint(0, 4), r.randint(5, 9), r.randint(1, 4)],
    "to_base": lambda r, n: [r.randint(1, 5000), r.randint(2, 36)],
    "topological_ordering": _topological,
    "wrap": _wrap,
}
"""Program → maker of legitimate arguments."""
