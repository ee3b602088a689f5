"""What a module's code looks like in an address: anything else is not found, and never asked of the database."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from modules.definition import CODE_PATTERN


class ModuleConverter(StringConverter):
    """The code of a module, as its definition may have it."""

    regex = CODE_PATTERN


register_converter(ModuleConverter, "module")
