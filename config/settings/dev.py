"""A developer's machine and the demo: `make run`. Nothing here is secret, so nothing real belongs in it."""

from config.settings.base import *  # noqa: F403
from config.settings.base import env

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="insecure-key-for-a-demo-on-one-machine-never-for-production")
MODULE_CONFIG_KEYS = env.list("MODULE_CONFIG_KEYS", default=["-NWfotCIp64t-IJ3Fol9vFodH8VnSBjsoieUrBCa8rs="])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
DEMO_ALLOWED = True
