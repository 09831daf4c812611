"""Django's formats of numbers and times, for each language that Timba has."""
