"""The SDK's own target tests, those that make sense for a target of fixed streams.

All others send streams that this target refuses (test_back_plugin.py). What they test works as in
target-powerofficego, and is tested there.
"""

import pytest
from go_sandbox import Sandbox
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.suites import SingerTestSuite
from singer_sdk.testing.target_tests import (
    TargetCliPrintsTest,
    TargetInvalidSchemaTest,
    TargetRecordBeforeSchemaTest,
)
from target_customwebshop.target import TargetCustomWebShop

BOX = Sandbox.start()
SUITE = SingerTestSuite(
    kind="target",
    tests=[TargetCliPrintsTest, TargetInvalidSchemaTest, TargetRecordBeforeSchemaTest],
)
CONFIG = {"api_url": BOX.shop_api_url, "auth_token": BOX.shop_token, "shop_name": "testshop"}


@pytest.fixture(scope="module", autouse=True)
def _sandbox_is_closed_afterwards():
    yield
    BOX.close()


@pytest.fixture(autouse=True)
def _nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert BOX.requests.writes("shop") == []


class TestSdkSuite(
    get_target_test_class(  # type: ignore[misc]
        TargetCustomWebShop, config=CONFIG, custom_suites=[SUITE], include_target_tests=False
    )
):
    """None of these tests writes to the shop."""
