"""The WSGI entry point for production servers."""

import os

from django.core.wsgi import get_wsgi_application

from config.requests import WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")

application = get_wsgi_application()
application.request_class = WSGIRequest
