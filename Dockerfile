# How to build and run it: docs/setup.md, "Docker".
FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

COPY package.json package-lock.json ./
RUN npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY LICENSE ./
COPY src ./src
# What an agent may read.
COPY docs ./docs

# The program is root's and read-only to the one who runs it; only the data is writable.
RUN mkdir data && chown node:node data
USER node
VOLUME /app/data
EXPOSE 3000

# That the process lives: a restart does not mend what /readyz tells.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3000/healthz', { signal: AbortSignal.timeout(4000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

CMD ["node", "--max-semi-space-size=2", "--heap-growing-percent=70", "src/main.ts"]
