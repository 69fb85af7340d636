import { forgetOwnServers } from 'temporary-postgres'
import { defineConfig } from 'vitest/config'

// The workers, and what they start, inherit this environment.
forgetOwnServers()

export default defineConfig({
  test: {
    include: ['{test,demo,packages}/**/*.test.ts'],
    // Tests wait on signals, never on the clock; these are the bounds for a slow two-core machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most of a test's time is a server's or a deadline's: three keep two cores busy.
    maxWorkers: 3,
  },
})
