"""Server-rendered pages: templates, text catalogues, inline pictures."""
