"""Superset's configuration for the test: a file of its own for what it keeps, and none of what protects a server that others
can reach."""

import os

SECRET_KEY = "only for this test, which nobody else can reach"
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.path.join(os.environ["SUPERSET_HOME"], "superset.db")
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
