"""Programs that send files to a Timba server over its API: `timba upload` and `timba watch`.

They run on any machine that reaches the server, and need no settings and no database.
"""
