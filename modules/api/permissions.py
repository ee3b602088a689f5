"""Who may read what stands on no platform."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from platforms import access
from platforms.access import Actor, Right


class MayReadCatalogue(BasePermission):
    """Those who may see the modules of some platform, and operators, also before there is any platform."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the catalogue is theirs to read."""
        actor = Actor.of(request)
        return (actor.is_superuser and actor.token_grants(Right.VIEW)) or access.may(actor, Right.VIEW)
