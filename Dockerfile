# syntax=docker/dockerfile:1
# The gateway alone: no vLLM, no torch, no compiler, no package manager's cache.
#   docker build -t its-gateway .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 \
#     -e ITS_BACKEND=http://vllm:8000/v1 -e ITS_API_KEY=… its-gateway

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gateway ./gateway
COPY strategies ./strategies
COPY verifiers ./verifiers
COPY benchmarks ./benchmarks
# Compiled here, since nothing can be written later.
RUN /venv/bin/pip install --compile --constraint constraints.txt '.[queue,tracing]' \
    && /venv/bin/pip uninstall --yes pip

FROM python:3.11-slim-bookworm
# For the verifier `code`, which also needs a container that may make namespaces: docs/sandbox.md.
RUN apt-get update && apt-get install --no-install-recommends --yes bubblewrap libseccomp2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ITS_HOST=0.0.0.0 \
    ITS_PORT=8000
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['ITS_PORT'] + '/health', timeout=3)"]
ENTRYPOINT ["its-gateway"]
CMD ["serve"]
