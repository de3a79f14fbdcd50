"""Afterwards: a pupil's file for the round."""
