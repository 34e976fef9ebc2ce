"""The words of the factory: frozen, typed, pure.

This package knows nothing of IO, databases, HTTP, processes or models. Everything here is a
``msgspec.Struct`` or an enumeration, so every value has one canonical JSON form
(:func:`karkhana.domain.json.canonical`), which is what the trail hashes and the CLI prints.
"""
