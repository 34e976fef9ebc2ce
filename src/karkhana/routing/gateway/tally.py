"""Counts what the gateway did, for Prometheus. Names of models and clients that nobody configured are not labels.

Source: the Prometheus text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).

>>> tally = Tally()
>>> tally.request("openai", 200, 0.2)
>>> 'karkhana_gateway_requests_total{wire="openai",status="200"} 1' in tally.text()
True
"""

import bisect
from collections import Counter

BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds."""


class Tally:
    """Counters of one process since its start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def request(self, wire: str, status: int, seconds: float) -> None:
        """One request that was answered, or whose client left (499)."""
        self._requests[wire, status] += 1
        self._times.setdefault(wire, [0] * (len(BOUNDS) + 1))[bisect.bisect_left(BOUNDS, seconds)] += 1
        self._sums[wire] = self._sums.get(wire, 0.0) + seconds

    def text(self) -> str:
        """For ``GET /metrics``."""
        lines = ["# TYPE karkhana_gateway_requests_total counter"]
        for (wire, status), count in sorted(self._requests.items()):
            lines.append(f'karkhana_gateway_requests_total{{wire="{wire}",status="{status}"}} {count}')
        lines.append("# TYPE karkhana_gateway_request_seconds histogram")
        for wire, counts in sorted(self._times.items()):
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                total += count
                lines.append(f'karkhana_gateway_request_seconds_bucket{{wire="{wire}",le="{bound}"}} {total}')
            lines.append(f'karkhana_gateway_request_seconds_sum{{wire="{wire}"}} {self._sums[wire]:.6f}')
            lines.append(f'karkhana_gateway_request_seconds_count{{wire="{wire}"}} {total}')
        return "\n".join(lines) + "\n"
