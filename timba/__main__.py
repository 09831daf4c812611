"""Lets `python -m timba` run the command `timba`."""

from timba.runtime.command import main

main()
