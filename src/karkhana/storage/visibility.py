"""Which products a query may tell of. Knows nothing of who asks, nor why.

>>> str(of_products(sa.column("product"), (False, frozenset({"shop"}))).compile(compile_kwargs={"literal_binds": True}))
"product = 'shop'"
"""

from typing import Any, TypeAlias

import sqlalchemy as sa

Visible: TypeAlias = tuple[bool, frozenset[str]]
"""All products but these, or only these, as :meth:`karkhana.domain.access.Principal.products` says it."""
EVERYTHING: Visible = (True, frozenset())


def of_products(column: sa.ColumnElement[Any], visible: Visible) -> sa.ColumnElement[bool]:
    """The condition on a column that names a product."""
    everywhere, named = visible
    if not named:
        return sa.true() if everywhere else sa.false()
    if len(named) == 1:
        (product,) = named
        return column != product if everywhere else column == product
    return column.not_in(sorted(named)) if everywhere else column.in_(sorted(named))
