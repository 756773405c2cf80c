"""Cancels the runs that ended with the machine, or with everything that was killed on it.

Dagster would believe them to be under way, and start no other run of their shops. To be run before
Dagster starts, and only where all runs are on this machine.
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
