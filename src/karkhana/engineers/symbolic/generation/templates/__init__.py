"""The templates, by what they change. Importing a module of this package registers its templates in ``scene``."""
