"""The pages of a site with polls, by WSGI: each publishes."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.polls.wsgi_settings")
application = get_wsgi_application()
