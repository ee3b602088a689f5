"""`platforms.choices`: who is refused a choice is told what there is to choose from."""

import pytest
from rest_framework import serializers

from platforms.api.serializers import StrictSerializerMixin
from platforms.choices import name_all, refusal
from platforms.validators import MOST_ECHOED


class ChoosingSerializer(StrictSerializerMixin, serializers.Serializer):
    plain = serializers.ChoiceField(choices=["a", "50%", "{input}"], required=False)
    several = serializers.ListField(child=serializers.ChoiceField(choices=[1, 2]), required=False)
    many = serializers.MultipleChoiceField(choices=range(300), required=False)
    own = serializers.ChoiceField(choices=["a"], error_messages={"invalid_choice": "Say a."}, required=False)


@pytest.mark.parametrize(
    ("count", "told"), [(0, ""), (2, "0, 1"), (20, ", ".join(map(str, range(20)))), (22, "18, 19 and 2 more")]
)
def test_name_all__many__the_first_ones_and_how_many_more(count, told):
    assert name_all(range(count)).endswith(told)
    assert (" more" in name_all(range(count))) is (count > 20)


def test_refusal__blanks_and_signs__are_no_trouble():
    said = refusal(["", None, "50%", "a"]) % {"value": "x" * 500}
    assert said == f"“{'x' * MOST_ECHOED}” is not a valid choice: name one of 50%, a."


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"plain": "x"}, "“x” is not a valid choice: name one of a, 50%, {input}."),
        ({"plain": {}}, "“{}” is not a valid choice: name one of a, 50%, {input}."),
        ({"plain": "x" * 500}, f"“{'x' * MOST_ECHOED}” is not a valid choice: name one of a, 50%, {{input}}."),
        ({"several": [1, 3]}, "“3” is not a valid choice: name one of 1, 2."),
        ({"many": ["x"]}, f"“x” is not a valid choice: name one of {', '.join(map(str, range(20)))} and 280 more."),
        ({"own": "x"}, "Say a."),
    ],
)
def test_serializer__no_choice__names_what_there_is(body, told):
    serializer = ChoosingSerializer(data=body)
    assert not serializer.is_valid()
    [errors] = serializer.errors.values()
    [error] = errors[1] if isinstance(errors, dict) else errors
    assert (error, error.code) == (told, "invalid_choice")
