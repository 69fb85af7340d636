/**
 * A process of its own that looks again and again with one tool, and tells the longest time without a picture when its
 * input ends: `node bench/poller.ts URL TOOL`. Of its own, so that what it parses does not hold the others up.
 */
import { connect } from './sessions.ts'
import { bare, blockingPids, wiki } from './tools.ts'

const [url = '', name = ''] = process.argv.slice(2)
const tool = [bare, blockingPids, wiki].find((one) => one.name === name)
if (!tool) throw new Error(`no tool ${name}`)

const client = await connect(url, 'bench-poller')
await client.query("SET statement_timeout = '5s'")
for (const statement of tool.statements) await client.query(statement)
let last = performance.now()
let longestMs = 0
let pictures = 0
const end = () => {
  // A look that is still under way has lasted until now.
  longestMs = Math.max(longestMs, performance.now() - last)
  process.stdout.write(`${JSON.stringify({ longestMs: Math.round(longestMs), pictures })}\n`, () =>
    process.exit(0),
  )
}
process.stdin.on('end', end).resume()
process.stdout.write('ready\n')
process.stdin.once('data', () => {
  last = performance.now()
  void poll()
})

async function poll(): Promise<void> {
  for (;;) {
    try {
      for (const statement of tool?.statements ?? []) await client.query(statement)
      longestMs = Math.max(longestMs, performance.now() - last)
      last = performance.now()
      pictures++
    } catch {
      // Given up by the server: no picture.
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
