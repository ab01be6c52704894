# The program alone, for a stack with ClickHouse and Kafka servers (compose.yaml). The embedded engine and broker are not
# meant for it: `make demo` needs no container.
FROM node:22-bookworm-slim AS web
WORKDIR /src/dashboards/web
COPY dashboards/web/package.json dashboards/web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY dashboards/api/openapi.json ../api/
COPY dashboards/web .
RUN npm run build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/dashboards/web/dist dashboards/web/dist
ARG VERSION=unversioned
RUN go build -ldflags "-s -w -X main.buildVersion=${VERSION}" -o /tingke ./cmd/tingke

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl libstdc++6 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/tingke --create-home tingke \
 && chmod 0700 /var/lib/tingke
COPY --from=build /tingke /usr/local/bin/tingke
USER tingke
WORKDIR /var/lib/tingke
# Users of the web pages and the deployment key live here.
VOLUME /var/lib/tingke
ENTRYPOINT ["tingke", "--dir", "/var/lib/tingke"]
CMD ["--help"]
