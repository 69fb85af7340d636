/**
 * `npm run bench`: what a snapshot costs, against what people use instead, on one server in one run. `--quick` is a
 * smoke test of it. Figures of one machine say little: read the ratios.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import pino from 'pino'
import { startPostgres } from 'temporary-postgres'
import { pictureOf } from '../src/domain/locks/picture.ts'
import { createCluster } from '../src/postgres/cluster.ts'
import { type Cost, countingProxy, lookWith, measure } from './measure.ts'
import { pairedRuns } from './paired.ts'
import { asJson, loadText, ours, type Results, type Row, stormTable, table } from './report.ts'
import { connect, createCrowd, holdersOf, type Shape, shapes } from './sessions.ts'
import { type StormResult, watchStorm } from './storm.ts'
import { bare, others, type Tool } from './tools.ts'

const quick = process.argv.includes('--quick')
const sizes = quick ? [10, 100] : [10, 100, 500, 1_000, 2_000]
const stormSizes = quick ? [100] : [200, 400, 600, 1_000]
const plan = quick
  ? { statementTimeout: '2s', stormMs: 6_000, pairs: 1, pairMs: 1_000, jam: 50 }
  : { statementTimeout: '6s', stormMs: 22_000, pairs: 9, pairMs: 2_500, jam: 500 }

const started = performance.now()
const say = (text: string) => console.log(`[${((performance.now() - started) / 1_000).toFixed(0)} s] ${text}`)
const note =
  `${availableParallelism()} cores, which clients, tools and server shared with whatever else ran (load average ${loadavg()[0]?.toFixed(1)} at the start): ` +
  'ratios between rows of one shape and size are worth more than the milliseconds.'

const largest = Math.max(...sizes)
const room = largest + Math.max(...shapes.map((shape) => holdersOf(shape, largest))) + 60
const server = await startPostgres({ settings: { max_connections: room, autovacuum: false, jit: false } })
const url = await server.createRole('marshal', ['pg_monitor', 'pg_signal_backend'])
const crowd = await createCrowd(server.url)
const clusterAt = (address: string) =>
  createCluster({
    name: 'bench',
    url: address,
    log: pino({ level: 'silent' }),
    maskText: () => null,
    now: Date.now,
    deadlines: { activity: 20_000, locks: 20_000 },
  })

try {
  const rows = await costs()
  const storms = await watchStorms()
  const load = await underLoad()
  const version = await crowd.version()
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}`
  const results: Results = {
    at: new Date().toISOString(),
    machine,
    server: version,
    note,
    rows,
    storms,
    load,
  }
  console.log(`\n${table(rows)}\n\n${stormTable(storms)}\n`)
  console.log(loadText(load, rows))
  console.log(`\n${note}`)
  if (!quick) {
    const directory = new URL('results/', import.meta.url)
    await mkdir(directory, { recursive: true })
    await writeFile(new URL('latest.json', directory), asJson(results))
    say('written to bench/results/latest.json')
  }
} finally {
  await crowd.close()
  await server.stop()
}

async function costs(): Promise<Row[]> {
  const proxy = await countingProxy(server.host, server.port)
  const direct = clusterAt(url)
  const counted = clusterAt(url.replace(`:${server.port}/`, `:${proxy.port}/`))
  const client = await connect(url, 'bench-tool')
  const rows: Row[] = []
  try {
    await Promise.all([direct.start(), counted.start()])
    const own = await crowd.pidsOf('pg-marshal', proxy)
    const { rows: me } = await client.query('SELECT pg_backend_pid() AS pid')
    await client.query(`SET statement_timeout = '${plan.statementTimeout}'`)
    const hopeless = new Set<string>()
    for (const waiting of sizes) {
      for (const shape of shapes) {
        await crowd.arrange(shape, waiting)
        const add = (tool: string, cost: Cost | null) => rows.push({ shape, waiting, tool, cost })
        const look = async () => {
          const { locks } = pictureOf(await direct.snapshot()).snapshot
          if (locks.kind !== 'read') throw new Error(`the locks are ${locks.kind}`)
          return { bytes: 0, timedOut: false }
        }
        await look()
        const mine = await measure(own, 9, look)
        await counted.snapshot()
        const before = proxy.bytes()
        await counted.snapshot()
        add(ours, { ...mine, bytes: proxy.bytes() - before })
        for (const tool of [bare, ...others]) add(tool.name, await costOf(tool, shape))
        say(`${waiting} waiting, ${shape}`)
        await crowd.dissolve()
      }
    }

    async function costOf(tool: Tool, shape: Shape): Promise<Cost | null> {
      // What has passed its time once is not asked again with more sessions.
      const key = `${tool.name} ${shape}`
      if (hopeless.has(key)) return null
      const cost = await measure([me[0].pid], 5, () => lookWith(client, tool))
      if (cost.timedOut) hopeless.add(key)
      return cost
    }
  } finally {
    await Promise.all([direct.close(), counted.close(), client.end()])
    proxy.close()
  }
  return rows
}

async function watchStorms(): Promise<StormResult[]> {
  const results: StormResult[] = []
  for (const waiting of stormSizes) {
    // With the deadlines that the service has.
    const cluster = createCluster({
      name: 'bench',
      url,
      log: pino({ level: 'silent' }),
      maskText: () => null,
      now: Date.now,
    })
    await cluster.start()
    results.push(await watchStorm({ crowd, cluster, url, waiting, mostMs: plan.stormMs }))
    say(`storm of ${waiting}`)
    await cluster.close()
  }
  return results
}

async function underLoad() {
  const cluster = clusterAt(url)
  await cluster.start()
  await crowd.arrange('row queue', plan.jam)
  const result = await pairedRuns(
    server.url,
    async () => pictureOf(await cluster.snapshot()),
    plan.pairs,
    plan.pairMs,
  )
  await crowd.dissolve()
  await cluster.close()
  say('load')
  return { waiting: plan.jam, ...result }
}
