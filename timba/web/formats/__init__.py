"""How Django itself writes figures and times, in each language that Timba speaks."""
