"""What a module's code looks like in an address: anything else is not found, and never asked of the database."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class ModuleConverter(StringConverter):
    """The code of a module; a little wider than `ModuleDefinition` has it, so that the view answers near misses."""

    regex = "[a-z0-9][a-z0-9_-]*"


register_converter(ModuleConverter, "module")
