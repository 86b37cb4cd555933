# syntax=docker/dockerfile:1
# The base must have a Python of the version that requirements.lock was made for, at the same place in both stages.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/convserve
COPY requirements.lock ./
RUN /opt/convserve/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN /opt/convserve/bin/pip install --no-cache-dir --no-deps .
# The compiled loops are kept beside the sources, for the kind of processor that builds the image.
RUN /opt/convserve/bin/convserve warm

FROM ${BASE}
LABEL org.opencontainers.image.title="convserve" \
      org.opencontainers.image.description="Convolution as a service" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/convserve /opt/convserve
ENV PATH=/opt/convserve/bin:$PATH \
    CONVSERVE_HOST=0.0.0.0 \
    CONVSERVE_LOG_FORMAT=json \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["convserve", "health"]
ENTRYPOINT ["convserve"]
CMD ["serve"]
