"""What a code looks like in an address: anything else is not found, and never asked of the database."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class CodeConverter(StringConverter):
    """The code of a platform, vendor or module, as `platforms.validators.validate_code` has it."""

    regex = "[a-z0-9]+(?:[-_][a-z0-9]+)*"


register_converter(CodeConverter, "code")
