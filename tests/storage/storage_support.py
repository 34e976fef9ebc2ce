"""What the tests of storage share."""

from datetime import UTC, datetime, timedelta

from karkhana.domain.tasks import Order, Ticket

ORDER = Order(ticket=Ticket(text="total() is wrong"), repository="/home/me/shop", commit="a" * 40)


class StoppedClock:
    """Gives the same time until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 12, 8, 30, 0, 123456, UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
