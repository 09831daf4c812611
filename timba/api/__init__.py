"""The JSON doors: parse, fetch what is visible, call one service, render."""
