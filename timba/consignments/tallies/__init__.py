"""A consignment's list of logs as a file that people keep, send on and print: pure writers."""
