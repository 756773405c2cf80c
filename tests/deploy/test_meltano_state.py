"""Meltano's state in PostgreSQL, as in docs/running/postgresql.md."""

from __future__ import annotations

from go_sandbox.demo.meltano import EXTRACT_AND_LOAD, Meltano, project_folder
from go_sandbox.seed.store import seed_store
from shop_folders import orders_astray, read_from

RUN = (EXTRACT_AND_LOAD[0], "--state-id-suffix", "myshop", *EXTRACT_AND_LOAD[1:])


def test_under_meltano_a_run_continues_from_the_state_in_postgresql(box, database, tmp_path):
    seed_store(box.shop, customers=2, products=2, orders=3, habits=False)
    address = database.address.replace("postgresql://", "postgresql+psycopg://")
    meltano = Meltano(project_folder(), box, tmp_path)
    meltano.install()

    def run():
        box.requests.clear()
        ended = meltano.run(*RUN, MELTANO_DATABASE_URI=address)
        assert ended.returncode == 0, ended.stdout

    run()
    assert orders_astray(box) == []
    ((name,),) = database.execute(f"SELECT state_id FROM {database.schema}.state")
    assert name.endswith(":tap-customwebshop-to-target-powerofficego:myshop")

    run()
    assert None not in read_from(box)
    assert box.requests.writes() == []
