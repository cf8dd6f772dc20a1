from django.contrib import admin

from tests.support.polls.models import Poll, Vote

admin.site.register([Poll, Vote])
