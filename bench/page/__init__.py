"""The room's page in a browser: what the case `page` measures, and how."""
