"""One wire per module; :mod:`karkhana.routing.wires.registry` lists them."""
