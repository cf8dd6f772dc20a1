from tests.pages import plain_static  # noqa: F401
from tests.personas import admin, alice, lounge, root  # noqa: F401
