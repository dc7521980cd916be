"""The steps of a run in order: search, retrain, export, validate.

Every step reads what the run's folder holds, adds to it, and can be repeated, resumed
after a kill, or done on another machine. The library tells of its progress through
callbacks; it neither prints nor exits.
"""
