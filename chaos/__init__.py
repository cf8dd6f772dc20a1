"""Proof that no message is lost: recording clients, one checker, and a storm of real faults.

Not part of the server: only `manage.py chaos` and the tests import it.
"""
