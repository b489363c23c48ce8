# The gateway with the servers that come with it. An image that runs other stdio servers adds what they need,
# such as Node for npx: see docs/operations.md.
FROM python:3.11-slim AS build
WORKDIR /src
COPY setup.cfg pyproject.toml README.md ./
COPY mcpfront mcpfront
COPY twisted twisted
RUN python -m venv /opt/mcpfront \
    && /opt/mcpfront/bin/pip install --no-cache-dir . \
    && /opt/mcpfront/bin/python -c "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"

FROM python:3.11-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/mcpfront mcpfront
COPY --from=build /opt/mcpfront /opt/mcpfront
ENV PATH=/opt/mcpfront/bin:$PATH LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/mcpfront
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=2)"]
# tini reaps what children of the gateway leave behind; the gateway itself reaps the children that it started
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["twistd", "--nodaemon", "--pidfile=", "--logger=mcpfront.telemetry.logging.observer", \
     "mcpfront", "--config", "/etc/mcpfront/config.json"]
