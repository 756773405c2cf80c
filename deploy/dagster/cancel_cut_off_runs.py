"""Cancels the runs that were cut off when the machine stopped or all processes were killed.

Dagster would take them to be under way, and would not start other runs of their shops. Run this
before Dagster starts, and only where all runs are on this machine.
"""

import dagster as dg

CUT_OFF = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

with dg.DagsterInstance.get() as instance:
    for run in instance.get_runs(dg.RunsFilter(statuses=CUT_OFF)):
        instance.report_run_canceled(run, "Dagster was not running when this run ended.")
