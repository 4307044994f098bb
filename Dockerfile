# syntax=docker/dockerfile:1
# Both bases must have the same minor version of Python at the same path. Pin them by digest where you build for others.
ARG BUILDER=docker.io/library/python:3.13-slim-bookworm
ARG RUNTIME=docker.io/library/python:3.13-slim-bookworm

FROM ${BUILDER} AS builder
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
RUN python -m pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}" \
    && uv venv --no-project /app
WORKDIR /source
# Dependencies before the source, so that a change of code does not install them again.
COPY requirements.txt ./
# Of the package kubernetes only the configuration is used: its second half for asyncio goes, and the bytecode of its API,
# which is the larger part of this image. All the rest can be imported as ever.
RUN uv pip install --python /app/bin/python --require-hashes --no-cache --requirement requirements.txt \
    && rm -rf /app/lib/python3.*/site-packages/kubernetes/aio /app/lib/python3.*/site-packages/kubernetes/client/*/__pycache__
COPY requirements-dev.txt pyproject.toml README.md LICENSE ./
COPY operator ./operator
# The build backend is held to its locked hash too. What venv and installers leave for themselves goes.
RUN uv build --wheel --no-cache --build-constraints requirements-dev.txt --require-hashes --out-dir /dist \
    && uv pip install --python /app/bin/python --no-deps --no-cache /dist/*.whl \
    && rm -f /app/.lock

FROM builder AS simulator-builder
COPY requirements-simulator.txt ./
RUN uv venv --no-project --clear /app \
    && uv pip install --python /app/bin/python --require-hashes --no-cache --requirement requirements-simulator.txt \
    && uv pip install --python /app/bin/python --no-deps --no-cache /dist/*.whl \
    && rm -f /app/.lock

FROM ${RUNTIME} AS runtime
# The base's own installers are of no use at run time, nor is what runs with other rights; both are what scanners complain about.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && rm -rf "$(python -c 'import ensurepip; print(ensurepip.__path__[0])')" /root/.cache \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/runai-operator/runai-operator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532

# For trying the operator without a tenant: docker build --target simulator
FROM runtime AS simulator
LABEL org.opencontainers.image.title="runai-simulator" \
      org.opencontainers.image.description="A stand-in for the Run:ai control plane"
COPY --from=simulator-builder /app /app
EXPOSE 8000
ENTRYPOINT ["runai-simulator"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]

FROM runtime AS operator
LABEL org.opencontainers.image.title="runai-operator" \
      org.opencontainers.image.description="Drive NVIDIA Run:ai workloads from Kubernetes"
COPY --from=builder /app /app
EXPOSE 8080
ENTRYPOINT ["runai-operator"]
CMD ["run"]
