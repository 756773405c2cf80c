"""Runs the schedules of many Meltano projects under Airflow, one DAG for each schedule of a shop.

A project is the folder of one shop, and lies in a folder for all shops on one subscription key:
`SHOPS/<key>/<shop>`. Its `schedules.json` is what `meltano schedule list --format=json` prints. The
name of the key's folder is that of the pool in which its tasks run.
"""

from __future__ import annotations

import json
import os
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

SHOPS = Path(os.environ["SHOPS"])
MELTANO = os.environ.get("MELTANO", "meltano")
OPEN_RECORDS = 3
"""The exit status of `powerofficego-links check` while rejects or holds are open."""


def command_of(task: str) -> str:
    """Return the command of one task of a job; only `invoke` passes on a command's exit status."""
    verb = "run" if " " in task else "invoke"
    return f"{MELTANO} {verb} {shlex.join(task.split())}"


def dag_of(project: Path, schedule: dict[str, Any]) -> DAG:
    """Return the DAG of a schedule: the tasks of its job, one after the other."""
    dag = DAG(
        f"{project.name}-{schedule['name']}",
        schedule=schedule["cron_interval"],
        catchup=False,
        max_active_runs=1,
        default_args={
            "pool": project.parent.name,
            "cwd": str(project),
            "append_env": True,
            "env": schedule.get("env") or {},
            "retries": 2,
            "retry_delay": timedelta(minutes=5),
            "skip_on_exit_code": OPEN_RECORDS,
        },
    )
    tasks = [
        BashOperator(
            task_id=task.replace(" ", "-").replace(":", "-"),
            bash_command=command_of(task),
            dag=dag,
        )
        for task in schedule["job"]["tasks"]
    ]
    chain(*tasks)
    return dag


for file in sorted(SHOPS.glob("*/*/schedules.json")):
    for schedule in json.loads(file.read_text())["schedules"]["job"]:
        dag = dag_of(file.parent, schedule)
        globals()[dag.dag_id] = dag
