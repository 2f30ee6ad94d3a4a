# The pipeline as a container image. Any python:3.13-slim will do as its base; nothing here depends on the processor.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements.txt .
# Every package as pinned, checked against its hash. Left out: what only developers of these packages need, Arrow's clients of
# Flight and S3 (this program goes to S3 through boto3), and what boto3 knows of services that it is not asked for.
RUN python -m venv --without-pip /venv \
 && python -m pip --python /venv/bin/python install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt \
 && cd /venv/lib/python3*/site-packages \
 && rm -rf pyarrow/include pyarrow/src pyarrow/*flight* pyarrow/_s3fs* pyarrow/libarrow_s3* \
 && find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name logs ! -name 'sso*' ! -name sts -exec rm -rf {} + \
 && find . -type d -name tests -prune -exec rm -rf {} +
# Who the program is, as `pip install` would note it down: `--version` reads it.
COPY pyproject.toml .
RUN /venv/bin/python -c 'import pathlib, sysconfig, tomllib; \
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]; \
note = pathlib.Path(sysconfig.get_path("purelib"), "{name}-{version}.dist-info".format(**project).replace("-", "_", 1)); \
note.mkdir(); \
(note / "METADATA").write_text("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".format(**project))'
COPY app /srv/app
RUN /venv/bin/python -m compileall -q /srv/app

# The authorities of RDS. From elsewhere: RDS_CA_BUNDLE=https://… or, a file beside this one, file:///context/NAME.pem.
FROM build AS authorities
ARG RDS_CA_BUNDLE=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
ARG RELEASE=0
RUN --mount=type=bind,target=/context mkdir /rds && python -c 'import pathlib, ssl, sys, urllib.request; \
text = urllib.request.urlopen(sys.argv[1], timeout=60).read().decode(); \
ssl.create_default_context(cadata=text); \
pathlib.Path("/rds/global-bundle.pem").write_text(text)' "${RDS_CA_BUNDLE}" \
 || { echo "WARNING: no RDS certificate authorities from ${RDS_CA_BUNDLE}: MYSQL_SSL_CA can't name them in this image" >&2; \
      [ "${RELEASE}" != 1 ]; }

FROM ${PYTHON_IMAGE}
COPY --from=build /venv /venv
COPY --from=authorities /rds /etc/ssl/rds
COPY --from=build /srv/app /srv/app
# The one place that is written to; a volume mounted here takes this owner over.
RUN chown 10001:10001 /tmp
VOLUME /tmp
ENV PATH=/venv/bin:$PATH PYTHONPATH=/srv PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /srv
USER 10001:10001
ENTRYPOINT ["python", "-m", "app"]
CMD ["run"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="spacex-pipeline" \
      org.opencontainers.image.description="Every SpaceX launch, proven equal in Parquet on S3 and in MySQL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
