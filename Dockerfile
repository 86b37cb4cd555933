# syntax=docker/dockerfile:1
# The base must have Python 3.11 to 3.14, at the same path in both stages, and a C library that runs manylinux_2_28.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/convserve
# requirements-extras.lock adds tracing and Dask: --build-arg LOCK=requirements-extras.lock
ARG LOCK=requirements.lock
COPY requirements.lock requirements-extras.lock ./
RUN /opt/convserve/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r "${LOCK:-requirements.lock}"
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN /opt/convserve/bin/pip install --no-cache-dir --no-deps --no-build-isolation .
# Remove what no request needs: installers, the packages' own tests, headers, and all of SciPy but fft and its imports.
RUN /opt/convserve/bin/pip uninstall --quiet --yes setuptools pip \
 && cd /opt/convserve/lib/python3.*/site-packages \
 && find . -type d -name tests -prune -exec rm -r {} + \
 && find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete \
 && cd scipy && rm -r cluster constants datasets differentiate fftpack integrate interpolate io ndimage odr optimize \
    signal sparse spatial stats
# Compile the loops for every level of this architecture, including levels that this machine cannot run. When a container
# starts, it loads the loops for its own processor and compiles nothing. Do not run this in /src: Python would import the
# service from there and keep the compiled loops there.
RUN cd / && /opt/convserve/bin/convserve warm --every-level

FROM ${BASE}
ARG BASE
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="convserve" \
      org.opencontainers.image.description="Convolution as a service: a picture and a JSON spec in, a PNG and timings out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /opt/convserve /opt/convserve
ENV PATH=/opt/convserve/bin:$PATH \
    CONVSERVE_HOST=0.0.0.0 \
    CONVSERVE_LOG_FORMAT=json \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 CMD ["convserve", "health"]
ENTRYPOINT ["convserve"]
CMD ["serve"]
