"""Proof that nothing is lost: clients that record what they get, one checker, and a storm of real faults.

No part of what serves: only `manage.py chaos` and the tests import it.
"""
