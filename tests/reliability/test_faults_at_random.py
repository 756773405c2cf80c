"""One request in twenty fails in some way: no run hangs, and one good run puts all right."""

from .verdict import complaints


def test_one_good_run_puts_right_whatever_faults_of_all_kinds_left(box, sync, load, seed, rounds):
    sync.settings |= {"request_timeout": 1, "retry_seconds": 20}
    faults = box.faults.at_random(seed=seed, share=0.05, slow_seconds=3)
    for _ in range(rounds):
        ended = sync.run()
        assert ended.status in (0, 3), ended.log
        assert all(record.reason for record in sync.unsettled())
        load.edit(30)
    print(f"{faults.struck} of {len(box.requests.all())} requests failed: {faults.struck_by}")
    box.faults.clear()

    last = sync.run()

    assert complaints(box, sync) == []
    assert last.status == 0, last.log
    assert sync.run(sync.all_records()).writes == []
