from tests.personas import alice, bob, root  # noqa: F401
