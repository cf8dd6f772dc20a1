from tests.personas import alice, attic, bob, charlie, lounge, mona, root  # noqa: F401
