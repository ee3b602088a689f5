"""The application with all of its addresses loaded: whoever is forked from a process that has it serves at once."""

from django.urls import resolve

from config.wsgi import application

__all__ = ["application"]

resolve("/api/v1/docs/")
