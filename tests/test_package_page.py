"""The description of the package has no relative link: a package index has no other file of the repository."""

import re

import pytest

from hatch_build import description
from scripts.package_check import relative_links
from tests.support.servers import ROOT

README = """# Hubbub

![A room](docs/images/room.png) of [Channels](https://channels.readthedocs.io/), by [mail](mailto:mona@example.org).
[`topics/`](hubbub/topics/), [the limits of [PgBouncer]](docs/settings.md#pgbouncer), [docs/topics.md](docs/topics.md)

```md
[topics](docs/topics.md)
```
"""
ADDRESSES = ("https://git.example.org/blob/v{version}/{path}", "https://git.example.org/raw/v{version}/{path}")


def test_links_have_the_addresses_of_files_and_pictures() -> None:
    text = description(README, "1.2.0", *ADDRESSES)
    assert re.findall(r"\]\((\S+)\)", text) == [
        "https://git.example.org/raw/v1.2.0/docs/images/room.png",
        "https://channels.readthedocs.io/",
        "mailto:mona@example.org",
        "https://git.example.org/blob/v1.2.0/hubbub/topics/",
        "https://git.example.org/blob/v1.2.0/docs/settings.md#pgbouncer",
        "https://git.example.org/blob/v1.2.0/docs/topics.md",
        "docs/topics.md",  # Code.
    ]
    assert relative_links(text) == []


def test_without_addresses_links_are_their_text_with_the_path() -> None:
    text = description(README, "1.2.0")
    assert "*A room* of [Channels](https://channels.readthedocs.io/), by [mail](mailto:mona@example.org)." in text
    assert (
        "`topics/` (`hubbub/topics/`), the limits of [PgBouncer] (`docs/settings.md`), docs/topics.md\n\n```md\n["
        in text
    )
    assert relative_links(text) == []


@pytest.mark.parametrize("addresses", [(), ADDRESSES])
def test_the_readme_becomes_a_page_without_relative_links(addresses: tuple[str, ...]) -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(relative_links(readme)) > 40
    assert relative_links(description(readme, "1.2.0", *addresses)) == []


@pytest.mark.parametrize("url", ["docs/{path}", "https://git.example.org/blob/main/"])
def test_an_address_that_leads_to_no_file_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'file-url = "{url}": an absolute address with {{path}}')):
        description(README, "1.2.0", url)


def test_a_relative_link_in_any_notation_is_found() -> None:
    text = """[a](a.md) ![b]( b.png) [c]: c.md\n[d]: d.md\n<img src="e.png"> <a href=f.md>f</a> [g](#g) `[h](h.md)`
[i](https://example.org) [j](//example.org/j)"""
    assert relative_links(text) == ["a.md", "b.png", "d.md", "e.png", "f.md", "#g", "//example.org/j"]
