"""What becomes of one shop record in PowerOffice Go: met or merged, decided, written, settled.

Imports `sync.go`, `settle` and the rooms below them; orders and payments have rooms of their own.
"""
