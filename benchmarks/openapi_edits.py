"""Edits of OpenAPI descriptions, each of a known kind: it breaks clients, or it does not.

The label comes from the kind of edit and from the direction in which the data flows at its place
(:mod:`benchmarks.openapi_sites`), never from Karkhana's comparison. Each edit changes a copy at a place drawn by
the given generator, and says what it did; ``None`` when the description has no such place.

A seed draws for each kind in turn, so the order of the tables is part of what it stands for.
"""

from benchmarks import openapi_breaking_schemas as schemas
from benchmarks import openapi_breaking_wire as wire
from benchmarks import openapi_harmless as harmless
from benchmarks import openapi_harmless_schemas as harmless_schemas
from benchmarks.openapi_places import Edit

BREAKING: dict[str, Edit] = {
    edit.__name__.rstrip("_"): edit
    for edit in (
        wire.remove_path,
        wire.remove_operation,
        wire.remove_response_status,
        wire.remove_media_type,
        wire.add_required_parameter,
        wire.add_required_header_parameter,
        wire.require_parameter,
        wire.move_parameter,
        wire.rename_parameter,
        wire.change_array_style,
        schemas.change_type,
        schemas.scalar_to_array,
        schemas.number_to_integer_in_request,
        schemas.integer_to_number_in_response,
        schemas.remove_enum_value_from_request,
        schemas.add_enum_value_to_response,
        schemas.confine_request_to_enum,
        schemas.free_response_of_enum,
        schemas.tighten_bound_in_request,
        schemas.drop_bound_in_response,
        schemas.change_format,
        schemas.add_format_to_request,
        schemas.add_required_property_to_request,
        schemas.require_property_of_request,
        schemas.loosen_property_of_response,
        schemas.remove_property_of_response,
        schemas.rename_property,
        schemas.null_in_response,
        schemas.no_null_in_request,
        schemas.close_request_object,
        wire.add_security,
        wire.demand_scope,
        wire.replace_security,
        wire.require_body,
        wire.remove_response_header,
        schemas.add_alternative_to_response,
        schemas.remove_alternative_from_request,
        schemas.change_discriminator,
        wire.move_server,
    )
}
HARMLESS: dict[str, Edit] = {
    edit.__name__.rstrip("_"): edit
    for edit in (
        harmless.add_path,
        harmless.add_operation,
        harmless.add_optional_parameter,
        harmless.relax_parameter,
        harmless.add_response_status,
        harmless.add_media_type,
        harmless_schemas.add_enum_value_to_request,
        harmless_schemas.remove_enum_value_from_response,
        harmless_schemas.drop_bound_in_request,
        harmless_schemas.tighten_bound_in_response,
        harmless_schemas.integer_to_number_in_request,
        harmless_schemas.add_optional_property,
        harmless_schemas.add_required_property_to_response,
        harmless_schemas.relax_property_of_request,
        harmless_schemas.promise_property_of_response,
        harmless_schemas.null_in_request,
        harmless_schemas.no_null_in_response,
        harmless.describe,
        harmless.reorder,
        harmless.rename_path_parameter,
        harmless.rename_component,
        harmless.wrap_in_all_of,
        harmless.move_to_component,
        harmless.deprecate,
        harmless.rename_operation_id,
        harmless.add_server,
        harmless.add_security_alternative,
        harmless.add_response_header,
        harmless.raise_version,
    )
}
