"""Stands where the reading child would: takes everything and never answers."""

import sys
import time

sys.stdin.buffer.read(8)
time.sleep(600)
