"""Methods side by side: a grid of ordinary runs, and what can be said of them.

Every cell of the grid is a run's folder like any other, so that a figure of a table can
be followed to the run it is of, and a comparison that was stopped goes on by going on
with its runs.
"""
