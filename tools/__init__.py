"""Programs for developers and CI. They import nothing of Timba."""
