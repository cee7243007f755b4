# One image for every process; the command decides: web (default), relay, worker, scheduler, migrate, stream.
ARG PYTHON_IMAGE=python:3.13-slim

# The pages of docs/ as a site, which the service serves at /docs/guide.
FROM ${PYTHON_IMAGE} AS guide
WORKDIR /src
RUN python -m venv /opt/docs && mkdir -p taskmanager/api
COPY .ci/docs .ci/docs
RUN /opt/docs/bin/pip install --no-cache-dir --disable-pip-version-check -r .ci/docs/requirements.txt
COPY docs docs
COPY *.md ./
RUN /opt/docs/bin/mkdocs build --strict --quiet --config-file .ci/docs/mkdocs.yml

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/venv
COPY requirements/base.txt requirements/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements/base.txt
COPY . .
COPY --from=guide /src/taskmanager/api/guide.zip taskmanager/api/
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .
# What nothing here uses is half of the size: places and carriers of phone numbers, languages that there are no texts in,
# tests of packages, pip.
RUN cd /opt/venv/lib/python3*/site-packages \
    && rm -r icalendar/tests croniter/tests \
    && rm -r phonenumbers/geodata phonenumbers/carrierdata phonenumbers/tzdata \
    && find babel/locale-data -type f ! -name root.dat ! -name 'en*.dat' ! -name 'de*.dat' -delete \
    && rm -r pip pip-*.dist-info ../../../bin/pip*

FROM ${PYTHON_IMAGE}
# A volume that is new takes the owner of the folder that it is mounted on.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent taskmanager \
    && install -d -o taskmanager -g taskmanager /data \
    && install -d -m 0700 -o taskmanager -g taskmanager /data/keys /keys
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TASKMANAGER_ENVIRONMENT=production \
    TASKMANAGER_HOST=0.0.0.0 \
    TASKMANAGER_PORT=8000 \
    TASKMANAGER_DATA_DIR=/data \
    TASKMANAGER_KEYS_DIR=/data/keys
LABEL org.opencontainers.image.title="Task Manager" \
    org.opencontainers.image.description="Task-management backend: REST API, event log, notifications" \
    org.opencontainers.image.licenses="MIT"
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
WORKDIR /data
EXPOSE 8000
# Asks whatever runs in this container: the web server by HTTP, the others for their last sign of life. Where a dozen start at
# once on a small machine, each takes a minute.
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=3 CMD ["taskmanager", "healthcheck"]
ENTRYPOINT ["taskmanager"]
CMD ["web"]
