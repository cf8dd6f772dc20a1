from tests.personas import alice, attic, bob, lounge, mona, root  # noqa: F401
