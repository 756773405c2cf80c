"""What the user sets: declared once, checked at start-up, and typed.

Imports `decisions` and `dataflow`, and of `go_api` what a connection is.
"""
