"""The shops of shops.yaml in Dagster: a partition, a round and a schedule for each shop."""

import datetime
import json
import os
import re
import subprocess
import sys
import warnings
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dotenv import dotenv_values

HERE = Path(__file__).parent
WAITS_FOR_A_PERSON = 3
"""The exit status of a round after which rejects or holds are open."""
WITH_THIS_PROCESS = ["setpriv", "--pdeathsig", "TERM"] if sys.platform == "linux" else []
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
UNDER_WAY = [status for status in dg.DagsterRunStatus if status not in ENDED]

warnings.simplefilter("ignore", dg.PreviewWarning)  # checks with partitions; the release is pinned


@dataclass(frozen=True)
class Shop:
    """A shop of shops.yaml, which explains the members."""

    name: str
    go_key: str
    folder: str

    def minutes(self, every: int) -> str:
        """Return at which minutes of each hour its rounds start, the same on every machine."""
        first = zlib.crc32(self.name.encode()) % every
        return ",".join(map(str, range(first, 60, every)))


@dataclass(frozen=True)
class Fleet:
    """The content of shops.yaml, which explains the members."""

    command: str
    programs: str
    every_minutes: int
    retries: int
    retry_seconds: int
    keep_days: int
    shops: dict[str, Shop]

    @classmethod
    def read(cls, path: Path) -> "Fleet":
        """Read shops.yaml."""
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        shops = {name: Shop(name, **members) for name, members in content.pop("shops").items()}
        return cls(**content, shops=shops)

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of a shop's round: Dagster's, then the shop's file .env."""
        own = {name: value or "" for name, value in dotenv_values(folder / ".env").items()}
        path = os.pathsep.join([self.programs, os.environ["PATH"]])
        return {**os.environ, "PATH": path, **own}


FLEET = Fleet.read(HERE / "shops.yaml")
SHOPS = dg.StaticPartitionsDefinition(list(FLEET.shops))


@dataclass
class Round:
    """A round of a shop, run by the programs of another environment.

    Attributes:
        figures: The numbers of the run summaries in its log, by their paths.
        last_lines: The end of its log.
    """

    shop: Shop
    figures: dict[str, int] = field(default_factory=dict)
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def run(self) -> int:
        """Run it to its end, copy its log to this step's, and return its exit status.

        It is stopped when this run is cancelled and, on Linux, when this process is killed.
        """
        folder = Path(self.shop.folder).expanduser()
        with subprocess.Popen(  # noqa: S603 # what shops.yaml names
            [*WITH_THIS_PROCESS, FLEET.command, folder],
            env=FLEET.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    self._read(line)
            except BaseException:
                process.terminate()
                raise
        return process.returncode

    def _read(self, line: str) -> None:
        sys.stderr.write(line)
        self.last_lines.append(line)
        summary = re.search(r"(\S+) *\| run summary: (\{.*\})", line)
        if summary:
            self.figures.update(leaves(json.loads(summary[2]), summary[1]))


def leaves(content: Mapping[str, Any], path: str) -> Iterator[tuple[str, int]]:
    """Yield the numbers of a run summary with their paths, such as `calls writes`."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path} {name}")
        else:
            yield f"{path} {name}", int(value)


NOTHING_WAITS = dg.AssetCheckSpec(
    "nothing_waits_for_a_person",
    asset="synced_shop",
    partitions_def=SHOPS,
    description="No reject or hold is open that nobody has acknowledged.",
)


@dg.asset(
    partitions_def=SHOPS,
    check_specs=[NOTHING_WAITS],
    retry_policy=dg.RetryPolicy(max_retries=FLEET.retries, delay=FLEET.retry_seconds),
)
def synced_shop(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """A shop whose changed records are in PowerOffice Go, and the other way round."""
    round_ = Round(FLEET.shops[context.partition_key])
    status = round_.run()
    if status not in (0, WAITS_FOR_A_PERSON):
        log = "".join(round_.last_lines)
        raise dg.Failure(f"exit status {status}; the log ends:\n{log}", metadata=round_.figures)
    waiting = {name: number for name, number in round_.figures.items() if "unacknowledged" in name}
    nothing_waits = dg.AssetCheckResult(
        passed=status == 0, severity=dg.AssetCheckSeverity.WARN, metadata=waiting
    )
    return dg.MaterializeResult(metadata=round_.figures, check_results=[nothing_waits])


ROUND = dg.define_asset_job(
    "round",
    selection=[synced_shop],
    config=dg.PartitionedConfig(
        partitions_def=SHOPS,
        run_config_for_partition_key_fn=lambda _: {},
        tags_for_partition_key_fn=lambda name: {"sync/go_key": FLEET.shops[name].go_key},
    ),
)


def schedule(shop: Shop) -> dg.ScheduleDefinition:
    """Return the schedule of a shop's rounds, which skips a round while another is under way."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        under_way = dg.RunsFilter(statuses=UNDER_WAY, tags={"dagster/partition": shop.name})
        if context.instance.get_runs_count(under_way):
            return dg.SkipReason("a round of this shop waits or is under way")
        return dg.RunRequest(partition_key=shop.name)

    return dg.ScheduleDefinition(
        name=re.sub(r"\W", "_", shop.name),
        job=ROUND,
        cron_schedule=f"{shop.minutes(FLEET.every_minutes)} * * * *",
        execution_fn=request,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


@dg.op(config_schema={"days": dg.Field(int, default_value=FLEET.keep_days)})
def delete_old_runs(context: dg.OpExecutionContext) -> None:
    """Delete what Dagster keeps of runs that ended more than `days` days ago."""
    kept = datetime.timedelta(days=context.op_config["days"])
    before = datetime.datetime.now(datetime.timezone.utc) - kept
    old = dg.RunsFilter(statuses=list(ENDED), updated_before=before)
    for record in context.instance.get_run_records(old):
        run_id = record.dagster_run.run_id
        context.instance.compute_log_manager.delete_logs(prefix=[run_id])
        context.instance.delete_run(run_id)
        (HERE / "history" / "runs" / f"{run_id}.db").unlink(missing_ok=True)  # of SQLite, now empty


@dg.job
def deletion_of_old_runs() -> None:
    """Keep the instance small: a run takes about 150 kB."""
    delete_old_runs()


DEFINITIONS = dg.Definitions(
    assets=[synced_shop],
    jobs=[ROUND, deletion_of_old_runs],
    schedules=[
        *map(schedule, FLEET.shops.values()),
        dg.ScheduleDefinition(
            job=deletion_of_old_runs,
            cron_schedule="30 3 * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        ),
    ],
    executor=dg.in_process_executor,
)
