"""Measurements, each beside a bare yardstick in the same run. `./aid bench` lists and runs them."""
