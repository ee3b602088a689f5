"""The test suite, on SQLite or on the PostgreSQL that DATABASE_URL names."""

from config.settings.base import *  # noqa: F403

DEBUG = False
SECRET_KEY = "insecure-key-for-tests"
MODULE_CONFIG_KEYS = ["uWmXdD-Cw0F0MrK2nCOfBqusY4PlbnRF5MM3TrdC8xc="]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# The tests log in often; what argon2 costs is not what they are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
