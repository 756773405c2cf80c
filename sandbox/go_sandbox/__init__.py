"""A local PowerOffice Go and a local web shop, to try the sync and to test it with."""

from go_sandbox.server import Sandbox

__all__ = ["Sandbox"]
