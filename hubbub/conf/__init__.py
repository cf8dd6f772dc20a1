"""Settings of the engine and of apps: each is a key of a dictionary in Django's settings.

`settings()` returns those of the engine, the dictionary `HUBBUB`. An app declares a `Tunables` struct of its own and
reads it by a `Section`: `settings = Section("CHAT", Chat)`.
"""

from hubbub.conf.declaring import Tunables, bounds, key
from hubbub.conf.engine import Hubbub
from hubbub.conf.reading import Section

__all__ = ["Hubbub", "Section", "Tunables", "bounds", "key", "settings"]

settings = Section("HUBBUB", Hubbub)
