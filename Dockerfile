# docker build -t pg-marshal .
# docker run --env-file pg-marshal.env -p 127.0.0.1:3000:3000 \
#   -v ./pg-marshal.yaml:/app/pg-marshal.yaml:ro -v pg-marshal-data:/app/data pg-marshal
#
# In the configuration: `http: { host: 0.0.0.0 }` (or nobody outside the container reaches it), http.port stays 3000
# (the health check asks there), and store.url stays sqlite:./data/… (the volume, so that approvals and the journal
# outlive the container). Values in the --env-file stand without quotes.
FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY LICENSE ./
COPY src ./src

# The program is root's and read-only to the one who runs it; only the data is writable.
RUN mkdir data && chown node:node data
USER node
VOLUME /app/data
EXPOSE 3000

HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3000/healthz', { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

CMD ["node", "src/main.ts"]
