"""What may be changed? Views of source, the catalogue of templates, and the hypotheses that they make."""
