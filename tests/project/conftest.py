from tests.support.pages import plain_static  # noqa: F401
from tests.support.personas import admin, alice, lounge, root  # noqa: F401
