"""The SDK's target tests that make sense for a target with three fixed streams.

All others send invented streams, which this target refuses as a configuration error
(test_plugin.py). What they test is tested with our own streams:

- array_data, encoded_string_data, optional_attributes, record_missing_fields,
  special_chars_in_attributes, record_missing_key_property: test_hostile_records.py
- camelcase, camelcase_complex_schema: stream names in any case, test_plugin.py
- duplicate_records, pk_updates, no_primary_keys: test_flow_same_again.py, test_flow_identity.py
- schema_no_properties, schema_updates: test_plugin.py
"""

import pytest
from go_sandbox import Sandbox
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite, target_tests
from singer_sdk.testing.target_tests import (
    TargetCliPrintsTest,
    TargetInvalidSchemaTest,
    TargetRecordBeforeSchemaTest,
)
from target_powerofficego.target import TargetPowerOfficeGo

BOX = Sandbox.start()
USED = SingerTestSuite(
    kind="target",
    tests=[TargetCliPrintsTest, TargetInvalidSchemaTest, TargetRecordBeforeSchemaTest],
)


@pytest.fixture(scope="module", autouse=True)
def _sandbox_is_closed_afterwards():
    yield
    BOX.close()


@pytest.fixture(autouse=True)
def _nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert BOX.requests.writes() == []


class TestSdkSuite(
    get_target_test_class(  # type: ignore[misc]
        TargetPowerOfficeGo,
        config=BOX.target_config(),
        custom_suites=[USED],
        include_target_tests=False,
    )
):
    """Each refused message leaves Go as it was."""


def test_every_test_of_the_sdk_is_used_or_left_out_with_a_reason():
    used = {test.name for test in USED.tests}
    for test in target_tests.tests:
        assert test.name in used or str(test.name) in __doc__
