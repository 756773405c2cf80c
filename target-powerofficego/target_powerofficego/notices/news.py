"""The status of a shop, what is new since the last message, and the text of the message; pure.

A message contains only the shop's name, counts, and reasons in general words: no ids or amounts,
and nothing that identifies a person.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_powerofficego.settle.summary import describe_program_faults, links_command_for
from target_powerofficego.store.values import entity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_powerofficego.store.values import Unsettled

_DIRECTIONS: Mapping[str, str] = {
    "forward": "from the shop to PowerOffice Go",
    "back": "from PowerOffice Go to the shop",
}
NOT_ALL_READ = "the tap did not finish, so not everything was read"
"""Why a run counts as failed although it handled all its input."""


@dataclass(frozen=True)
class Message:
    """A message to send; `notify_type` is its severity, in Apprise's terms."""

    title: str
    body: str
    notify_type: str


TEST_MESSAGE = Message(
    "Test message of the sync with PowerOffice Go",
    "You will get messages like this when a record waits for a person or a run fails.",
    "info",
)


@dataclass(frozen=True)
class ShopStatus:
    """The status of a shop; the store keeps the one at the time of the last message.

    `waiting` has a hash of each unacknowledged reject and hold. `broken` has, by way, the number of
    the newest run when that way failed. `is_silent` is whether there has been no run for too long.
    """

    waiting: frozenset[str] = frozenset()
    broken: Mapping[str, int] = field(default_factory=dict)
    is_silent: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> ShopStatus:
        """Return the status from its form in the store."""
        return cls(frozenset(stored["waiting"]), stored["broken"], stored["is_silent"])

    def to_keep(self) -> dict[str, Any]:
        """Return the form of the status in the store."""
        return {
            "waiting": sorted(self.waiting),
            "broken": dict(sorted(self.broken.items())),
            "is_silent": self.is_silent,
        }

    def without(self, before: ShopStatus, after: ShopStatus) -> ShopStatus:
        """Return this status without the changes from `before` to `after`.

        Changes that others have announced since, about other records or the other way, remain.
        """
        new = after.broken.keys() - before.broken.keys()
        broken = {way: run for way, run in self.broken.items() if way not in new}
        recovered = {way: run for way, run in before.broken.items() if way not in after.broken}
        has_changed_silence = before.is_silent != after.is_silent
        return ShopStatus(
            waiting=self.waiting - (after.waiting - before.waiting)
            | (before.waiting - after.waiting),
            broken={**recovered, **broken},
            is_silent=before.is_silent if has_changed_silence else self.is_silent,
        )

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to report."""
        return self == ShopStatus()


@dataclass(frozen=True)
class Ending:
    """How the newest runs of a shop ended.

    `broken` has, by way, the reason in general words why its newest run failed; `ended_well` has,
    by way, the number of a newest run that did not fail. `is_silent` is whether there has been no
    run for too long, or None if that was not checked; `silence` is the line about it.
    """

    shop_name: str
    newest_run: int
    broken: Mapping[str, str] = field(default_factory=dict)
    ended_well: Mapping[str, int] = field(default_factory=dict)
    is_silent: bool | None = None
    silence: str = ""


def status_after(before: ShopStatus, ending: Ending, waiting: Iterable[Unsettled]) -> ShopStatus:
    """Return the status of a shop from its last status and how its newest runs ended."""
    still_broken = {
        way: run for way, run in before.broken.items() if ending.ended_well.get(way, 0) <= run
    }
    return ShopStatus(
        waiting=frozenset(map(_hash_of, waiting)),
        broken={**dict.fromkeys(ending.broken, ending.newest_run), **still_broken},
        is_silent=before.is_silent if ending.is_silent is None else ending.is_silent,
    )


def compose_message(
    ending: Ending, before: ShopStatus, after: ShopStatus, waiting: Sequence[Unsettled]
) -> Message | None:
    """Return a message about what is new since the last one, or None if nothing is."""
    shop = ending.shop_name
    if after.is_well:
        return None if before.is_well else _all_is_well(shop)
    broken = [
        f"The run {_DIRECTIONS[way]} failed: {reason}."
        for way, reason in ending.broken.items()
        if way not in before.broken
    ]
    is_silent = after.is_silent and not before.is_silent
    new = [record for record in waiting if _hash_of(record) not in before.waiting]
    headings = [
        *(["a run failed"] if broken else []),
        *(["no run for too long"] if is_silent else []),
        *([f"{_counted(new)} {'is' if len(new) == 1 else 'are'} new"] if new else []),
    ]
    if not headings:
        return None
    parts = [
        *broken,
        *(["See the end of its log, and run it again."] if broken else []),
        *([f"{ending.silence[:1].upper()}{ending.silence[1:]}."] if is_silent else []),
        *(_lines_about_new(new, waiting) if new else []),
    ]
    kind = "failure" if broken or is_silent else "warning"
    return Message(f"{shop}: {', '.join(headings)}", "\n".join(parts), kind)


def join_messages(messages: Sequence[Message]) -> Message:
    """Return messages about several shops as one message; a single one is returned as it is."""
    if len(messages) == 1:
        return messages[0]
    kinds = {message.notify_type for message in messages}
    return Message(
        f"{len(messages)} shops: something changed",
        "\n\n".join(f"{message.title}\n{message.body}" for message in messages),
        next(kind for kind in ("failure", "warning", "success") if kind in kinds),
    )


def _all_is_well(shop: str) -> Message:
    body = "The newest runs ended well, and nothing waits for a person."
    return Message(f"{shop}: all is well again", body, "success")


def _lines_about_new(new: Sequence[Unsettled], waiting: Sequence[Unsettled]) -> list[str]:
    """Return a line for each entity and kind of what is new, and lines about what to do."""
    counts = Counter((entity_of(record.entity), record.kind) for record in new)
    program_faults = sum(record.is_program_fault for record in new)
    return [
        *(
            f"{entity}: {number} new {kind}{'' if number == 1 else 's'}; see"
            f" {links_command_for(f'{kind}s --entity {entity}')}"
            for (entity, kind), number in sorted(counts.items())
        ),
        *([f"{describe_program_faults(program_faults)}."] if program_faults else []),
        f"In total, {_counted(waiting)} wait{'s' if len(waiting) == 1 else ''} for a person.",
        "Each run retries what is rejected or held.",
        f"Correct it in the shop or in Go, or acknowledge it: {links_command_for('acknowledge')}.",
    ]


def _counted(waiting: Sequence[Unsettled]) -> str:
    counts = sorted(Counter(record.kind for record in waiting).items())
    return " and ".join(f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in counts)


def _hash_of(record: Unsettled) -> str:
    """Return a hash of a reject or hold that does not depend on its reason."""
    identity = f"{record.kind} {record.entity} {record.shop_id}"
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
