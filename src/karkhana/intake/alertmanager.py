"""Alertmanager's webhook, version 4: firing alerts become a ticket, one for each time that they fire.

Knows the payload (Prometheus, "Configuration of Alertmanager", ``webhook_config``). Alertmanager cannot sign, so the
secret itself is sent: ``http_config: {authorization: {credentials_file: …}}``.
"""

import msgspec

from karkhana.intake.deliveries import Delivery, Ignored, Outcome, Refused, TicketDraft
from karkhana.intake.door import media_type
from karkhana.intake.payload import clean, fitted, line, read
from karkhana.intake.signatures import Secrets, shared

MOST = 20
"""Alerts that a ticket tells of."""


class Alert(msgspec.Struct):
    status: str
    fingerprint: str
    startsAt: str  # noqa: N815 - the sender's word
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    generatorURL: str = ""  # noqa: N815


class Group(msgspec.Struct):
    """One notification."""

    version: str
    alerts: list[Alert]
    commonLabels: dict[str, str] = {}  # noqa: N815
    externalURL: str = ""  # noqa: N815


class Alertmanager:
    """``repository_label`` is the label whose value stands for a repository."""

    def __init__(self, repository_label: str) -> None:
        self._label = repository_label

    def verify(self, delivery: Delivery, secrets: Secrets) -> Refused | None:
        return shared(delivery, secrets, "authorization", "Bearer ")

    def identity(self, delivery: Delivery) -> str:
        return ""

    def read(self, delivery: Delivery) -> Outcome:
        if media_type(delivery.headers) != "application/json":
            return Refused("Alertmanager sends JSON", 415)
        group = fitted(read(delivery.body), Group)
        if group.version != "4":
            return Refused("only version 4 of the payload is known", 422)
        if not group.alerts:
            return Refused("there is no alert in it", 422)
        firing = [alert for alert in group.alerts if alert.status == "firing"]
        if not firing:
            return Ignored("nothing fires any more")
        names = sorted({line(alert.labels.get("alertname", ""), 80) for alert in firing})
        severities = {line(alert.labels.get("severity", ""), 40) for alert in firing} - {""}
        told = [f"Alert {', '.join(names)} fires ({len(firing)})", *(_told(alert) for alert in firing[:MOST])]
        if len(firing) > MOST:
            told.append(f"… and {len(firing) - MOST} more.")
        return TicketDraft(
            text=clean("\n\n".join(told)),
            sender="alertmanager",
            place=line(group.commonLabels.get(self._label, "")),
            # an alert that fires again has begun again
            subjects=tuple(line(f"{alert.fingerprint}@{alert.startsAt}") for alert in firing[:200]),
            reference=line(group.externalURL),
            labels=tuple(sorted(severities)),
            opening=False,
            check=names[0] or "alert",
        )


def _told(alert: Alert) -> str:
    labels = ", ".join(f"{line(name, 60)}={line(text, 120)}" for name, text in sorted(alert.labels.items())[:20])
    notes = [f"{line(name, 60)}: {line(text, 500)}" for name, text in sorted(alert.annotations.items())[:10]]
    return "\n".join([f"- {labels}", f"  since {line(alert.startsAt, 40)}", *(f"  {note}" for note in notes)])
