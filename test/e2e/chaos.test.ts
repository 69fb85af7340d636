import { afterAll, beforeAll, expect, it } from 'vitest'
import { chaosRound, prepare, seeded } from '../support/chaos.ts'
import { startTestServer, type TestServer } from '../support/postgres.ts'

let server: TestServer
let shop: string

beforeAll(async () => {
  server = await startTestServer()
  shop = await prepare(server)
})
afterAll(() => server.stop())

// `npm run chaos` does many more.
it.each([11, 12, 13, 14, 15, 16])(
  'an approval that is killed at a random moment ends well (seed %i)',
  async (seed) => {
    const { presses } = await chaosRound(server, shop, seeded(seed))
    expect(presses).toBeGreaterThan(0)
  },
)
