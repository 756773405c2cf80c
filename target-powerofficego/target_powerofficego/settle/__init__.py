"""Settling: records in arrival order through a pool of workers, STATE as soon as it is true."""
