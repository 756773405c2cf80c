"""Metrics in Prometheus's text format, for the textfile collector of node_exporter.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_powerofficego.store.values import (
    ENTITIES,
    PAYMENTS,
    back_name,
    entity_of,
    way_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_powerofficego.links_command.health import Health
    from target_powerofficego.store.values import Run, UnsettledKind

_PREFIX = "powerofficego_"
_MEANINGS: Mapping[str, str] = {
    "last_run_end_timestamp_seconds": "When the newest run that ended did so, in Unix time.",
    "last_run_exit_status": "Exit status of the newest run that ended: 0, 1 (broke) or 3 (records"
    " wait for a person).",
    "last_run_records": "Records of the newest run that ended, by what became of them.",
    "last_run_calls": "Calls to the system that the newest run that ended wrote to.",
    "run_under_way": "Whether a run is under way.",
    "run_cut_off": "Whether the newest run was killed, or did not get all that there was to read.",
    "open_records": "Records that are rejected, held or parked.",
    "unacknowledged_records": "Rejects and holds that nobody has acknowledged.",
}
"""Each metric, a gauge, and what its HELP line says."""
_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold", "parked")
_KEPT_AS = (*ENTITIES, PAYMENTS, *map(back_name, ENTITIES))

Sample = tuple[str, dict[str, str], float]


def metrics_of(shops: Sequence[Health]) -> Iterator[str]:
    """Return the lines of all metrics of these shops."""
    samples = [sample for shop in shops for sample in _samples(shop)]
    for name, meaning in _MEANINGS.items():
        yield f"# HELP {_PREFIX}{name} {meaning}"
        yield f"# TYPE {_PREFIX}{name} gauge"
        for sample, labels, value in samples:
            if sample == name:
                yield f"{_PREFIX}{name}{{{_in_text(labels)}}} {value:.15g}"


def _samples(shop: Health) -> Iterator[Sample]:
    of_shop = {"shop": shop.shop_name}
    for run in shop.runs:
        labels = {**of_shop, "way": run.way}
        state = shop.state_of(run)
        yield "run_under_way", labels, state == "under way"
        yield "run_cut_off", labels, state in {"did not end", "incomplete"}
    for run in shop.ended:
        yield from _of_ended(run, {**of_shop, "way": run.way})
    counts = {(one.entity, one.kind): one for one in shop.open_ones}
    for kept_as in _KEPT_AS:
        labels = {**of_shop, "way": way_of(kept_as), "entity": entity_of(kept_as)}
        for kind in _KINDS:
            one = counts.get((kept_as, kind))
            yield "open_records", {**labels, "kind": kind}, one.number if one else 0
            if kind != "parked":
                waiting = one.waiting if one else 0
                yield "unacknowledged_records", {**labels, "kind": kind}, waiting


def _of_ended(run: Run, labels: Mapping[str, str]) -> Iterable[Sample]:
    if run.finished_at is not None:
        yield "last_run_end_timestamp_seconds", {**labels}, run.finished_at.timestamp()
    yield "last_run_exit_status", {**labels}, run.exit_status or 0
    for entity, outcomes in run.outcomes.items():
        for outcome, number in outcomes.items():
            yield "last_run_records", {**labels, "entity": entity, "outcome": outcome}, number
    for kind, number in run.calls.items():
        yield "last_run_calls", {**labels, "kind": kind}, number


def _in_text(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
