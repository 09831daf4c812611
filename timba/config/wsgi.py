"""The WSGI door: `granian --interface wsgi timba.config.wsgi` or `gunicorn timba.config.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timba.config.settings.base")

application = get_wsgi_application()
