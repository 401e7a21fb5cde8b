# clairvoy as a server: no root, and nothing is written. How to run it: docs/serve.md.
FROM python:3.12-slim AS build
COPY pyproject.toml README.md LICENSE /source/
COPY src /source/src
RUN python -m venv /clairvoy && /clairvoy/bin/pip install --no-cache-dir '/source[serve,speed]'

FROM python:3.12-slim
COPY --from=build /clairvoy /clairvoy
# Compiled loops are kept in memory only: the root file system may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/tmp
USER 65534:65534
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/clairvoy/bin/python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["/clairvoy/bin/clairvoy", "serve", "--host", "0.0.0.0"]
