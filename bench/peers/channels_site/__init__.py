"""Channels' own tutorial: a chat server in four parts, on stock daphne, with the authentication that it recommends."""
