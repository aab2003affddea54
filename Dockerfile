# Builds the image of the server:  docker build -t modelyard-server .
#
# The lock files pin every installed package by hash. The base image has the oldest Python that we support, and the tests
# run on it. Its tag follows patch releases, so a rebuild picks up security fixes of the distribution.

FROM python:3.11-slim-bookworm AS build

# Bytecode is validated by hash, because a builder or a registry may rewrite the times of files.
ENV VIRTUAL_ENV=/opt/modelyard \
    UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_PYTHON_DOWNLOADS=never \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

# Install the dependencies first: they change less often than the code, so their layer stays cached.
COPY requirements.lock requirements-server.lock ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > installer.txt \
    && pip install --no-cache-dir --require-hashes -r installer.txt \
    && python -m venv --without-pip "$VIRTUAL_ENV" \
    && uv pip sync --no-build --require-hashes requirements-server.lock

COPY pyproject.toml README.md ./
COPY clients/python clients/python
COPY src src
RUN uv build --wheel --all-packages --build-constraints requirements.lock --require-build-hashes --out-dir wheels \
    && uv pip install --offline --no-deps wheels/*.whl

FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="modelyard-server" \
      org.opencontainers.image.description="A model registry: the files of each model version, and the facts about it" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

# Settings are variables, not arguments, so that the health check reads the same ones.
#
# The server in a container listens on all addresses. So it starts only with MODELYARD_SERVER_TLS_CERT and _TLS_KEY, or
# with MODELYARD_SERVER_INSECURE=true if a mesh encrypts the traffic. Metrics are plaintext: don't publish their port.
ENV PATH=/opt/modelyard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MODELYARD_SERVER_DATA_DIR=/data \
    MODELYARD_SERVER_LISTEN=0.0.0.0:4850 \
    MODELYARD_SERVER_ADMIN_LISTEN=0.0.0.0:4851

# A new volume gets the owner of this folder.
RUN install -d -o 10001 -g 10001 -m 0700 /data

COPY --from=build /opt/modelyard /opt/modelyard

# The user is a number, so that Kubernetes can check that it isn't root.
USER 10001:10001
VOLUME /data
EXPOSE 4850 4851
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["modelyard-server", "probe"]
ENTRYPOINT ["modelyard-server"]
CMD ["serve"]
