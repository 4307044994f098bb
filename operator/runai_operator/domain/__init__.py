"""The rules, as data in and data out.

Admitted here: what can be said without a clock, a socket, randomness or a log line. Time is an argument.
"""
