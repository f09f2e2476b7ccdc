"""Server-rendered pages: templates, text catalogues, inline pictures."""

from cellvow.web.about_page import about_document, render_about
from cellvow.web.catalogue import LOCALES
from cellvow.web.claimed_page import claimed_document, render_claimed
from cellvow.web.error_page import Problem, problem_document, render_preparing, render_problem
from cellvow.web.excerpt import Excerpt, cut_excerpt
from cellvow.web.field_page import FieldPhone, field_scripts, field_words, render_field, render_worker
from cellvow.web.glossary_page import GLOSSARY, glossary_document, render_glossary
from cellvow.web.index_page import BatteryEntry, IndexLinks, render_index
from cellvow.web.links import PageLinks, bundle_file_name
from cellvow.web.passport_page import passport_document, render_passport
from cellvow.web.rendering import site_policy
from cellvow.web.static import StaticFile, load_static
from cellvow.web.tombstone_page import render_tombstone, tombstone_document
from cellvow.web.tour_page import (
    Other,
    TourLinks,
    find_elsewhere,
    find_open,
    render_stop,
    render_tour,
    tour_document,
)
from cellvow.web.tour_stops import find_stop
from cellvow.web.verdict_page import VerdictAsked, VerdictLinks, render_verdict
from cellvow.web.verify_page import check_words, render_verify

__all__ = [
    "BatteryEntry",
    "Excerpt",
    "FieldPhone",
    "GLOSSARY",
    "IndexLinks",
    "LOCALES",
    "Other",
    "PageLinks",
    "Problem",
    "StaticFile",
    "TourLinks",
    "VerdictAsked",
    "VerdictLinks",
    "about_document",
    "bundle_file_name",
    "check_words",
    "claimed_document",
    "cut_excerpt",
    "field_scripts",
    "field_words",
    "find_elsewhere",
    "find_open",
    "find_stop",
    "glossary_document",
    "load_static",
    "passport_document",
    "problem_document",
    "render_about",
    "render_claimed",
    "render_field",
    "render_glossary",
    "render_index",
    "render_passport",
    "render_preparing",
    "render_problem",
    "render_stop",
    "render_tombstone",
    "render_tour",
    "render_verdict",
    "render_verify",
    "render_worker",
    "site_policy",
    "tombstone_document",
    "tour_document",
]
