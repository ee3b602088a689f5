"""The test suite, on SQLite or on the PostgreSQL that DATABASE_URL names."""

import tempfile

from config.settings.base import *  # noqa: F403
from config.settings.base import DATABASES, THROTTLE_RATES

DEBUG = False
SECRET_KEY = "insecure-key-for-tests"
MODULE_CONFIG_KEYS = ["uWmXdD-Cw0F0MrK2nCOfBqusY4PlbnRF5MM3TrdC8xc="]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DEMO_ALLOWED = True
# The tests log in often; what argon2 costs is not what they are about.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# They also ask often, and many count the queries; the tests of the throttles set rates of their own.
THROTTLE_RATES = dict.fromkeys(THROTTLE_RATES, "1000000/min")

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: in memory, the live server and the test would share one connection.
    test_files = tempfile.TemporaryDirectory(prefix="switchyard-tests-")
    DATABASES["default"]["TEST"] = {"NAME": f"{test_files.name}/test.sqlite3"}
    # A crash costs this database nothing but a rerun.
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
else:
    # The live server's threads are gone before the test database is: none of them may still hold a connection to it.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
