"""Static files with hashed names, also inside the imports of ES modules."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Only statements that end in a semicolon are rewritten: tests/project/test_static.py checks ours.
    support_js_module_import_aggregation = True
