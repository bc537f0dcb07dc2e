# The program with everything it needs. Builds for a CPU; with --build-arg TORCH=cuda for an NVIDIA GPU.
#
#   docker build -t ask-your-pdfs .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:7860:7860 -v ask-data:/app/data ask-your-pdfs
#
# See docs/operations.md.
ARG PYTHON=3.11.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/venv/bin:$PATH
RUN python -m venv /venv
COPY requirements.lock ./
# PyPI has torch for CUDA, with its libraries; the one for CPUs, 4 GB smaller, comes from the project's own index.
RUN set -eu; \
    case "$TORCH" in \
      cuda) cp requirements.lock chosen.lock ;; \
      cpu) pip install --no-deps --index-url https://download.pytorch.org/whl/cpu \
             "$(grep -o '^torch==[0-9.]*' requirements.lock)+cpu"; \
           awk '/^[a-z]/ { skip = /^(torch==|triton==|nvidia-|cuda-)/ } !skip' requirements.lock > chosen.lock ;; \
      *) echo "TORCH is cpu or cuda, not $TORCH" >&2; exit 1 ;; \
    esac; \
    pip install --no-deps --require-hashes -r chosen.lock; \
    pip check

FROM python:${PYTHON}
# A font for pages whose Chinese fonts are not embedded.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --home-dir /app/data --no-create-home --shell /usr/sbin/nologin app \
    && install -d -o app -g app -m 700 /app/data
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
# Models and unpacked weights are kept in the volume too: it is the only place that is written, besides /tmp.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/app/data \
    ASK_HOST=0.0.0.0 \
    ASK_METRICS_HOST=0.0.0.0 \
    ASK_LOG_FORMAT=json
USER 10001:10001
VOLUME /app/data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=5m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ.get(\"ASK_PORT\", 7860)}/health', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "app.py"]
