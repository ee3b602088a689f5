from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Every word that leaves or enters, accounted for."""

    name = "messaging"
    verbose_name = "Messaging"
