"""Smoke generations: every model in memory is asked for a few tokens now and then, and what came of it is kept.

`plan.py` decides what is tried, `rounds.py` tries it, `history.py` keeps the results, `schedule.py` says when.
"""
