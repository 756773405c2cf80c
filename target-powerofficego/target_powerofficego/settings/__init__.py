"""What the user sets: declared once, checked at start-up, and typed.

Imports `store`, `decisions`, `dataflow`, and what a connection is from `go_api`.
"""
