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
_HELP_TEXTS: Mapping[str, str] = {
    "last_run_end_timestamp_seconds": "End of the newest run that has ended, in Unix time.",
    "last_run_exit_status": "Exit status of the newest run that ended: 0, 1 (failed) or 3 (records"
    " wait for a person).",
    "last_run_records": "Records of the newest run that ended, by outcome.",
    "last_run_calls": "Calls of the newest run that ended to the system it writes to.",
    "run_under_way": "Whether a run is under way.",
    "run_cut_off": "Whether the newest run was killed or did not get everything from its tap.",
    "open_records": "Records that are rejected, held or parked.",
    "unacknowledged_records": "Rejects and holds that nobody has acknowledged.",
}
"""The metrics, which are all gauges, with the text of their HELP lines."""
_KINDS: tuple[UnsettledKind, ...] = ("reject", "hold", "parked")
_KEPT_AS = (*ENTITIES, PAYMENTS, *map(back_name, ENTITIES))

Sample = tuple[str, dict[str, str], float]


def metrics_of(shops: Sequence[Health]) -> Iterator[str]:
    """Yield the lines of all metrics of these shops."""
    samples = [sample for shop in shops for sample in _samples(shop)]
    for name, text in _HELP_TEXTS.items():
        yield f"# HELP {_PREFIX}{name} {text}"
        yield f"# TYPE {_PREFIX}{name} gauge"
        for sample, labels, value in samples:
            if sample == name:
                yield f"{_PREFIX}{name}{{{_format_labels(labels)}}} {value:.15g}"


def _samples(shop: Health) -> Iterator[Sample]:
    of_shop = {"shop": shop.shop_name}
    for run in shop.runs:
        labels = {**of_shop, "way": run.way}
        state = shop.state_of(run)
        yield "run_under_way", labels, state == "under way"
        yield "run_cut_off", labels, state in {"did not end", "incomplete"}
    for run in shop.ended:
        yield from _ended_run_samples(run, {**of_shop, "way": run.way})
    counts = {(count.entity, count.kind): count for count in shop.open_counts}
    for kept_as in _KEPT_AS:
        labels = {**of_shop, "way": way_of(kept_as), "entity": entity_of(kept_as)}
        for kind in _KINDS:
            count = counts.get((kept_as, kind))
            yield "open_records", {**labels, "kind": kind}, count.number if count else 0
            if kind != "parked":
                waiting = count.waiting if count else 0
                yield "unacknowledged_records", {**labels, "kind": kind}, waiting


def _ended_run_samples(run: Run, labels: Mapping[str, str]) -> Iterable[Sample]:
    if run.finished_at is not None:
        yield "last_run_end_timestamp_seconds", {**labels}, run.finished_at.timestamp()
    yield "last_run_exit_status", {**labels}, run.exit_status or 0
    for entity, outcomes in run.outcomes.items():
        for outcome, number in outcomes.items():
            yield "last_run_records", {**labels, "entity": entity, "outcome": outcome}, number
    for kind, number in run.calls.items():
        yield "last_run_calls", {**labels, "kind": kind}, number


def _format_labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
