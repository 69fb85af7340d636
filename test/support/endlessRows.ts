import pino from 'pino'
import { createConnection } from '../../src/postgres/connection.ts'

/** For a process of its own: asks the server at argv[2] once, and prints how it ended and the most memory it took. */
const [, , url = ''] = process.argv
const connection = createConnection({
  url,
  log: pino({ level: 'silent' }),
  connectMs: 60_000,
  deadlineMs: 60_000,
  onDeadline: 'wait',
  settings: {},
})
await connection.start()
const { code = '' } = connection.failure() ?? {}
await connection.close()
process.stdout.write(JSON.stringify({ code, maxRss: process.resourceUsage().maxRSS }))
