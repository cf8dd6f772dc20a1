"""Static files with hashed names, which imports of ES modules use as well."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    # Django rewrites only import statements with a semicolon: tests/project/test_static.py checks them.
    support_js_module_import_aggregation = True
