# One image for every process; the command decides: web (default), relay, worker, scheduler, migrate.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/venv
COPY requirements/base.txt requirements/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements/base.txt
COPY . .
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent taskmanager \
    && install -d -o taskmanager -g taskmanager /data
COPY --from=build /opt/venv /opt/venv
COPY --chmod=0755 deploy/entrypoint /usr/local/bin/entrypoint
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TASKMANAGER_ENVIRONMENT=production \
    TASKMANAGER_HOST=0.0.0.0 \
    TASKMANAGER_PORT=8000 \
    TASKMANAGER_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['TASKMANAGER_PORT']}/health/live\", timeout=2)"]
ENTRYPOINT ["entrypoint"]
CMD ["web"]
