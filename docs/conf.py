"""The documentation site. In the repository's root, with `pip install -c constraints.txt -e ".[docs]"`:

sphinx-build -W --keep-going -d out/site/work docs out/site/html
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# Lines of pages and of docstrings that the gallery's programs print should not depend on the machine's threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from building import pages, pictures, plots, reference  # noqa: E402
from sphinx.domains.python import PyObject  # noqa: E402

import largesteps_zg  # noqa: E402

project = "largesteps_zg"
author = largesteps_zg.__author__
version = release = largesteps_zg.__version__
copyright = f"{author}. BSD-3-Clause"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_gallery.gen_gallery"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["programs", "lesson-programs", "files"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
highlight_language = "none"
default_role = "code"
suppress_warnings = ["ref.python"]  # types in docstrings that are named like two attributes

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say shapes and units
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_display_short_literal_types = True

html_theme = "furo"
html_title = "largesteps_zg"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "tango"
pygments_dark_style = "github-dark"

sphinx_gallery_conf = pictures.settings()


def setup(app) -> None:
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    # Before the gallery looks for its programs, which are among the pages.
    app.connect("config-inited", lambda app, config: pages.gather(app), priority=1)
    app.connect("builder-inited", lambda app: reference.write(Path(app.srcdir) / "reference"), priority=1)
    app.connect("autodoc-process-docstring", reference.tidied, priority=1)
    app.connect("doctree-read", reference.note_aliases)
    app.add_directive("table-plot", plots.TablePlot)
    app.add_directive("measured", plots.Measured)
