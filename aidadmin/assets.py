"""Static files: named by their content, compressed, served by the web process itself."""

from collections.abc import Callable
from re import Match

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Of what the packages bring only this is served: no source maps, no right-to-left sheets, no scripts of Bootstrap.
NOT_SERVED = [
    *("*.map", "*.rtl.*", "*.esm.*", "bootstrap*.js", "bootstrap.*", "bootstrap-grid*", "bootstrap-utilities*"),
    *("paleblue", "django_htmx/ext", "ext", "htm*x-4*"),
]


class AssetStorage(CompressedManifestStaticFilesStorage):
    """Manifest storage that takes Bootstrap as it is, and lets tests open pages without `collectstatic`."""

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[Match[str]], str]:
        # Bootstrap's last line names a source map, which is not served: the comment goes, or collecting would stop.
        if template is not None and "sourceMappingURL" in template:
            return lambda match: ""
        return super().url_converter(name, hashed_files, template)

    def stored_name(self, name: str) -> str:
        # Nothing was collected: plain names. Once there is a manifest, a name not in it is an error as it should be.
        return super().stored_name(name) if self.hashed_files else name
