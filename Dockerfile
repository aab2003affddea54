# The registry in an image:  docker build -t modelyard-server .
#
# Everything that is installed is pinned by hash in the lock files. The base is the oldest Python that we support, which
# the tests run on; its tag moves within that, so that a rebuild takes up the distribution's security fixes.

FROM python:3.11-slim-bookworm AS build

# Hashes instead of dates: bytecode stays valid however a builder or a registry rewrites the files' times.
ENV VIRTUAL_ENV=/opt/modelyard \
    UV_COMPILE_BYTECODE=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_PYTHON_DOWNLOADS=never \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build

# The dependencies first: they change less often than the code, and stay cached.
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
      org.opencontainers.image.description="A model registry that keeps the bytes and the facts" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

# Settings are variables, not arguments, so that the health check sees the same ones.
#
# A container is there to be reached, so it listens on all addresses; and because it does, the server refuses to start
# until it is told how its traffic is protected: MODELYARD_SERVER_TLS_CERT and _TLS_KEY, or MODELYARD_SERVER_INSECURE=true
# where a mesh encrypts. Metrics are plaintext, and reach nobody unless their port is published.
ENV PATH=/opt/modelyard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MODELYARD_SERVER_DATA_DIR=/data \
    MODELYARD_SERVER_LISTEN=0.0.0.0:4850 \
    MODELYARD_SERVER_ADMIN_LISTEN=0.0.0.0:4851

# A new volume takes its owner from here.
RUN install -d -o 10001 -g 10001 -m 0700 /data

COPY --from=build /opt/modelyard /opt/modelyard

# A number, so that a cluster can see that it isn't root.
USER 10001:10001
VOLUME /data
EXPOSE 4850 4851
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["modelyard-server", "probe"]
ENTRYPOINT ["modelyard-server"]
CMD ["serve"]
