# One image per service: docker build --build-arg SERVICE=runner -t polyvox/runner .
# It carries that service, libs/ and what the service's lock names, and runs as nobody in particular.
FROM python:3.11-slim AS build
ARG SERVICE
# Without pip: nothing is installed into an image that is made.
RUN python -m venv --without-pip /opt/venv
COPY deploy/locks/${SERVICE}.txt /tmp/lock.txt
# Behind a package mirror: --secret id=pip,src=/etc/pip.conf
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes -r /tmp/lock.txt
COPY libs /app/libs
COPY services /tmp/services
RUN module=$(echo "${SERVICE}" | tr - _) \
    && mkdir /app/services && cp -r /tmp/services/__init__.py "/tmp/services/${module}" /app/services/ \
    && printf '#!/bin/sh\nexec python -m services.%s "$@"\n' "${module}" > /app/service && chmod 755 /app/service \
    && /opt/venv/bin/python -m compileall -q /app

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PRIVATE_HOST=0.0.0.0 \
    PRIVATE_PORT=9000 \
    BLOBS_URL=file:///var/lib/polyvox/blobs
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin polyvox \
    && install -d -o polyvox -g polyvox /var/lib/polyvox /var/lib/polyvox/blobs
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PRIVATE_PORT']}/readyz\", timeout=2)"]
ENTRYPOINT ["/app/service"]
