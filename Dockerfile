# The pipeline as a container image. Any python:3.13-slim will do as its base; nothing here depends on the processor.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
COPY requirements.txt .
# Every package as pinned, checked against its hash. Taken out again, some 70 MB: the packages' own tests, what only their developers
# need, Arrow's clients of Flight and S3 (this program goes to S3 through boto3), and what boto3 knows of services never asked here.
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt \
 && cd /venv/lib/python3*/site-packages \
 && rm -rf pyarrow/include pyarrow/src pyarrow/*flight* pyarrow/*_s3* \
 && find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name logs ! -name 'sso*' ! -name sts -exec rm -rf {} + \
 && find . -type d -name tests -prune -exec rm -rf {} +
COPY app /srv/app
RUN python -m compileall -q /srv/app \
 && printf '#!/bin/sh\nexec python -m app "$@"\n' >/venv/bin/spacex-pipeline && chmod 755 /venv/bin/spacex-pipeline

# The certificate authorities of RDS, from Amazon or from where RDS_CA_BUNDLE says: https://… or file:///context/NAME.pem, a file
# beside this one. Only a release can't do without.
FROM ${PYTHON_IMAGE} AS authorities
ARG RDS_CA_BUNDLE=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
ARG RELEASE=0
RUN --mount=type=bind,target=/context mkdir /rds && python -c 'import pathlib, ssl, sys, urllib.request; \
text = urllib.request.urlopen(sys.argv[1], timeout=60).read().decode(); \
ssl.create_default_context(cadata=text); \
pathlib.Path("/rds/global-bundle.pem").write_text(text)' "${RDS_CA_BUNDLE}" 2>/tmp/why \
 || { echo "no RDS certificate authorities from ${RDS_CA_BUNDLE}: $(tail -n 1 /tmp/why)" >&2; [ "${RELEASE}" != 1 ]; }

FROM ${PYTHON_IMAGE}
# The one place that is written to. Declared and owned here, since a volume that is mounted takes this owner over.
RUN chown 10001:10001 /tmp
VOLUME /tmp
COPY --from=build /venv /venv
COPY --from=authorities /rds /etc/ssl/rds
COPY --from=build /srv/app /srv/app
ENV PATH=/venv/bin:$PATH PYTHONPATH=/srv PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /srv
USER 10001:10001
ENTRYPOINT ["python", "-m", "app"]
CMD ["run"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="spacex-pipeline" \
      org.opencontainers.image.description="Every SpaceX launch, proven equal in Parquet on S3 and in MySQL" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
