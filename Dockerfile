# Timba's image: `docker build --tag timba .`, or by compose.yaml.
#
# Packages are installed from the hashed requirement files. The root file system may be read-only:
# all data is in /var/lib/timba, temporary files are in /tmp.

FROM debian:trixie-slim AS base
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates libmariadb3 python3 tini >/dev/null \
    && rm -rf /var/lib/apt/lists/*

# --- The environment with Timba and its packages, and the list of these -----------------------------
FROM base AS build
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends \
        gcc libc6-dev libmariadb-dev pkg-config python3-dev python3-venv >/dev/null
WORKDIR /build
COPY tools/venv tools/front tools/
COPY requirements/ requirements/
RUN tools/venv .venv \
    && .venv/bin/uv pip install --quiet --no-cache --python .venv/bin/python \
        --require-hashes --requirements requirements/image.txt \
    && python3 -m venv --without-pip /opt/timba \
    && .venv/bin/uv pip sync --quiet --no-cache --python /opt/timba/bin/python --compile-bytecode \
        --require-hashes requirements/base.txt requirements/heif.txt requirements/lake.txt \
        requirements/mysql.txt requirements/ocr.txt
COPY package.json package-lock.json .npmrc ./
COPY timba/ timba/
RUN tools/front .venv
COPY pyproject.toml .gitignore README.md LICENSE NOTICE ./
RUN .venv/bin/hatchling build --target wheel \
    && .venv/bin/uv pip install --quiet --no-deps --compile-bytecode --python /opt/timba/bin/python dist/*.whl \
    && mkdir -p /opt/timba/share/timba \
    && .venv/bin/cyclonedx-py environment /opt/timba --output-reproducible \
        --output-file /opt/timba/share/timba/sbom.json

# --- The image ---------------------------------------------------------------------------------------
FROM base
ARG DEBIAN_FRONTEND=noninteractive
# PDFs need a font for every script: those of Noto in their regular style, one for the scripts of
# East Asia, one for symbols. The other styles, and a font of 5 MB for sign writing, are left out.
RUN noto=/usr/share/fonts/truetype/noto \
    && { echo "path-exclude=$noto/*"; \
         echo "path-include=$noto/NotoSans*-Regular.ttf"; \
         for script in Ahom Dogra NyiakengPuachueHmong Tangut Tibetan Yezidi; do \
             echo "path-include=$noto/NotoSerif$script-Regular.ttf"; done; \
         for other in SansDisplay SansSignWriting SansTifinaghA; do \
             echo "path-exclude=$noto/Noto$other*"; done; } >/etc/dpkg/dpkg.cfg.d/fonts \
    && apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends fonts-noto-core fonts-symbola fonts-wqy-microhei >/dev/null \
    && apt-get install -qq -y --no-install-recommends \
        $(printf 'tesseract-ocr-%s ' deu eng est fin fra lav lit pol rus spa swe ukr) >/dev/null \
    && rm -rf /var/lib/apt/lists/*
LABEL org.opencontainers.image.title="Timba" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="The self-hosted system of record for timber companies" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 timba \
    && useradd --uid 10001 --gid timba --no-create-home --home-dir /var/lib/timba --shell /usr/sbin/nologin timba \
    && install -d -o timba -g timba -m 700 /var/lib/timba
COPY --from=build /opt/timba /opt/timba
ENV PATH=/opt/timba/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TIMBA_DATA_DIR=/var/lib/timba \
    TIMBA_HOST=0.0.0.0
USER timba
WORKDIR /var/lib/timba
VOLUME /var/lib/timba
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m CMD ["python", "-m", "timba.runtime.health_check"]
# tini reaps processes, and forwards signals also before Timba handles them.
ENTRYPOINT ["tini", "--", "timba"]
CMD ["serve"]
