"""Which shop property is which Go property, and how a value crosses; pure.

Imports no other room.
"""
