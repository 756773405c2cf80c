"""How a shop stands, what is new in it since the last message, and the words of that; pure.

No message holds more than the shop's name, counts, and reasons in general words: neither ids nor
amounts, and nothing that says who a person is.
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
NOT_ALL_READ = "the tap did not come to its end, so not everything was read"
"""Why a run counts as broken that did all that came."""


@dataclass(frozen=True)
class Message:
    """What is sent; `notify_type` is how bad it is, in Apprise's words."""

    title: str
    body: str
    notify_type: str


TEST_MESSAGE = Message(
    "Test message of the sync with PowerOffice Go",
    "Messages like this one come when a record waits for a person, or when a run breaks.",
    "info",
)


@dataclass(frozen=True)
class ShopStatus:
    """How a shop stands; the store keeps it as it was when the last message went out.

    `waiting` has a mark of each reject and hold that nobody has acknowledged; `broken` has the
    number of the newest run when a way broke; `is_silent` is whether no run has come for too long.
    """

    waiting: frozenset[str] = frozenset()
    broken: Mapping[str, int] = field(default_factory=dict)
    is_silent: bool = False

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> ShopStatus:
        """Return the standing that the store keeps."""
        return cls(frozenset(kept["waiting"]), kept["broken"], kept["is_silent"])

    def to_keep(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {
            "waiting": sorted(self.waiting),
            "broken": dict(sorted(self.broken.items())),
            "is_silent": self.is_silent,
        }

    def without(self, before: ShopStatus, after: ShopStatus) -> ShopStatus:
        """Return this standing as if what led from `before` to `after` had not been said.

        What was said since by others, of other records or of the other way, stays said.
        """
        new = after.broken.keys() - before.broken.keys()
        broken = {way: run for way, run in self.broken.items() if way not in new}
        mended = {way: run for way, run in before.broken.items() if way not in after.broken}
        is_about_silence = before.is_silent != after.is_silent
        return ShopStatus(
            waiting=self.waiting - (after.waiting - before.waiting)
            | (before.waiting - after.waiting),
            broken={**mended, **broken},
            is_silent=before.is_silent if is_about_silence else self.is_silent,
        )

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to say."""
        return self == ShopStatus()


@dataclass(frozen=True)
class Ending:
    """What the newest runs of a shop came to.

    `broken` says, by way, in general words why its newest run broke, and `ended_well` which run of
    a way did not. `is_silent` is whether no run has come for too long, None where nobody asked.
    """

    shop_name: str
    newest_run: int
    broken: Mapping[str, str] = field(default_factory=dict)
    ended_well: Mapping[str, int] = field(default_factory=dict)
    is_silent: bool | None = None
    silence: str = ""


def status_after(before: ShopStatus, ending: Ending, waiting: Iterable[Unsettled]) -> ShopStatus:
    """Return how a shop stands, given how it stood and what its newest runs came to."""
    still = {way: run for way, run in before.broken.items() if ending.ended_well.get(way, 0) <= run}
    return ShopStatus(
        waiting=frozenset(map(_mark, waiting)),
        broken={**dict.fromkeys(ending.broken, ending.newest_run), **still},
        is_silent=before.is_silent if ending.is_silent is None else ending.is_silent,
    )


def compose_message(
    ending: Ending, before: ShopStatus, after: ShopStatus, waiting: Sequence[Unsettled]
) -> Message | None:
    """Return what has to be said now that was not said before; None if nothing is new."""
    shop = ending.shop_name
    if after.is_well:
        return None if before.is_well else _all_is_well(shop)
    broken = [
        f"The run {_DIRECTIONS[way]} broke: {why}."
        for way, why in ending.broken.items()
        if way not in before.broken
    ]
    is_silent = after.is_silent and not before.is_silent
    new = [one for one in waiting if _mark(one) not in before.waiting]
    headings = [
        *(["a run broke"] if broken else []),
        *(["no run has come for too long"] if is_silent else []),
        *([f"{_counted(new)} {'is' if len(new) == 1 else 'are'} new"] if new else []),
    ]
    if not headings:
        return None
    parts = [
        *broken,
        *(["See the end of its log, and run it again."] if broken else []),
        *([f"{ending.silence[:1].upper()}{ending.silence[1:]}."] if is_silent else []),
        *(_of_new(new, waiting) if new else []),
    ]
    kind = "failure" if broken or is_silent else "warning"
    return Message(f"{shop}: {', '.join(headings)}", "\n".join(parts), kind)


def together(messages: Sequence[Message]) -> Message:
    """Return messages about several shops as one; a single one as it is."""
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


def _of_new(new: Sequence[Unsettled], waiting: Sequence[Unsettled]) -> list[str]:
    """Return a line for each entity and kind of what is new, and what to do."""
    counts = Counter((entity_of(one.entity), one.kind) for one in new)
    program_faults = sum(one.is_program_fault for one in new)
    return [
        *(
            f"{entity}: {number} new {kind}{'' if number == 1 else 's'}; see"
            f" {links_command_for(f'{kind}s --entity {entity}')}"
            for (entity, kind), number in sorted(counts.items())
        ),
        *([f"{describe_program_faults(program_faults)}."] if program_faults else []),
        f"In all, {_counted(waiting)} wait{'s' if len(waiting) == 1 else ''} for a person.",
        "Each run tries again what is rejected or held.",
        f"Correct it in the shop or in Go, or acknowledge it: {links_command_for('acknowledge')}.",
    ]


def _counted(waiting: Sequence[Unsettled]) -> str:
    counts = sorted(Counter(one.kind for one in waiting).items())
    return " and ".join(f"{number} {kind}{'' if number == 1 else 's'}" for kind, number in counts)


def _mark(one: Unsettled) -> str:
    """Return a mark of a reject or hold, which stays the same when only its reason changes."""
    what = f"{one.kind} {one.entity} {one.shop_id}"
    return hashlib.blake2b(what.encode(), digest_size=8).hexdigest()
