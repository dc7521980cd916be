"""Values to text: the only layer beside the command line that knows the terminal.

Nothing is gathered here: a list of profiles must not wait for what a verdict needs.
"""
