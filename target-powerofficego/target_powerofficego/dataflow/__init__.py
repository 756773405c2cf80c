"""Which shop property maps to which Go property, and how a value is converted; pure.

Imports no other room.
"""
