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
RUN uv pip install --python /app/bin/python --require-hashes --no-cache --requirement requirements.txt
COPY requirements-dev.txt pyproject.toml README.md LICENSE ./
COPY operator ./operator
# The build backend is held to its locked hash too.
RUN uv build --wheel --no-cache --build-constraints requirements-dev.txt --require-hashes --out-dir /dist \
    && uv pip install --python /app/bin/python --no-deps --no-cache /dist/*.whl

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="runai-operator" \
      org.opencontainers.image.description="Drive NVIDIA Run:ai workloads from Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/runai-operator/runai-operator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base's own installers are of no use at run time, and are what scanners complain about.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel \
    && rm -rf "$(python -c 'import ensurepip; print(ensurepip.__path__[0])')" /root/.cache
COPY --from=builder /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["runai-operator"]
CMD ["run"]
