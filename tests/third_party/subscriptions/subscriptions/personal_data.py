"""What subscriptions hold on people. That something was sent stays; to whom is forgotten."""

from modules.personal_data import BLANKED, EXPORTED, NOT_PERSONAL, Holding, PersonalDataMap, each
from subscriptions.models import Subscription

MAP = PersonalDataMap(
    holdings=(
        Holding(
            model=Subscription,
            customer="customer",
            email="email",
            fields={
                **each(NOT_PERSONAL, "id", "platform"),
                **each(BLANKED, "customer", "email"),
                **each(EXPORTED, "what", "since"),
            },
        ),
    )
)
export, erase = MAP.export, MAP.erase
