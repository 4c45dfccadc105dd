# Image of lumaflow: one static binary and the CA certificates, no shell. Needs
# BuildKit, the default of `docker build`.
#
#   docker build --build-arg VERSION=v1.2.3 -t lumaflow:v1.2.3 \
#     --build-arg REVISION=$(git describe --always --abbrev=40 --exclude='*' --dirty) .

# Base images; set them to a mirror's names.
ARG GO_IMAGE=golang:1.26-bookworm@sha256:d9c68c2c51161e12fd77e4c6320687c9cd86e1af1e3ad6e6cd63ff970641453c
ARG BASE_IMAGE=scratch

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
# Empty: the default proxy of the go command.
ARG GOPROXY
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
ARG REVISION
WORKDIR /src
# The sources are a bind mount; modules and build cache persist between builds.
# The tag excludes gRPC from Google's storage client, which lumaflow uses over
# HTTP: a fifth of the binary.
RUN --mount=type=bind,target=/src \
    --mount=type=cache,id=lumaflow-modules,target=/go/pkg/mod \
    --mount=type=cache,id=lumaflow-build,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -tags disable_grpc_modules -trimpath -buildvcs=false \
      -ldflags "-s -w -X lumaflow/internal/command.version=$VERSION -X lumaflow/internal/command.revision=$REVISION" \
      -o /lumaflow .
# A new named volume takes its owner from the folder it is mounted on.
RUN mkdir -p /root-folders/videos /root-folders/work /root-folders/state /root-folders/tmp && chmod 1777 /root-folders/tmp

FROM ${BASE_IMAGE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="lumaflow" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /root-folders/ /
COPY --from=build /lumaflow /usr/local/bin/lumaflow

# OUTPUT_URL and WORK_DIR are mount points of volumes; see docker-compose.yml.
# GOMEMLIMIT is 80 % of 256 MiB; a container with another memory limit overrides it.
ENV HOME=/tmp \
    GOMEMLIMIT=205MiB \
    OUTPUT_URL=/videos \
    WORK_DIR=/work \
    METRICS_LISTEN=:9464
EXPOSE 8080 9464
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/lumaflow", "health", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["/usr/local/bin/lumaflow"]
CMD ["--help"]
