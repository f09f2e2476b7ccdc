"""Server-rendered pages: templates, text catalogues, inline pictures."""

from cellvow.web.catalogue import LOCALES
from cellvow.web.error_page import Problem, problem_document, render_problem
from cellvow.web.index_page import BatteryEntry, IndexLinks, render_index
from cellvow.web.links import PageLinks, bundle_file_name
from cellvow.web.passport_page import passport_document, render_passport
from cellvow.web.rendering import page_policy

__all__ = [
    "BatteryEntry",
    "IndexLinks",
    "LOCALES",
    "PageLinks",
    "Problem",
    "bundle_file_name",
    "page_policy",
    "passport_document",
    "problem_document",
    "render_index",
    "render_passport",
    "render_problem",
]
