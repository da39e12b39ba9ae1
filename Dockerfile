# The image holds the binary and the certificates of the public authorities, and nothing else: no shell, no package
# manager. It runs as an unprivileged user, also with a read-only root file system; /state, a cache, and /tokens, which
# is to be kept, are the only places it writes to.

FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o /out/stocksync .
RUN mkdir -p /out/root/state /out/root/tokens && chmod 0700 /out/root/state /out/root/tokens

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/root/ /
COPY --from=build /out/stocksync /stocksync
ENV STATE_DIR=/state TOKENS_DIR=/tokens
USER 65532:65532
VOLUME ["/state", "/tokens"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/stocksync", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/stocksync"]
CMD ["run"]
