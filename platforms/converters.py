"""What a code looks like in an address: anything else is not found, and never asked of the database."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from platforms.validators import CODE_PATTERN


class CodeConverter(StringConverter):
    """The code of a platform or vendor."""

    regex = CODE_PATTERN


register_converter(CodeConverter, "code")
