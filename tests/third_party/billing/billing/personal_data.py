"""What billing holds on people: nothing. It bills vendors, which are businesses."""

from billing.models import Invoice, Payment, Plan
from modules.personal_data import PersonalDataMap

MAP = PersonalDataMap(without=(Plan, Invoice, Payment))
