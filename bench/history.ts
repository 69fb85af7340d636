/**
 * `npm run bench:history -- [MINUTES]`: what the record of looks costs. A real server with 200 sessions that come, work, wait for each
 * other and go is looked at every five seconds (for five minutes where nothing else is said); then a week of such looks is
 * kept, and asked. It takes about eight minutes.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres } from 'temporary-postgres'
import { momentIn } from '../src/answers/moment.ts'
import { lookAt } from '../src/domain/history/look.ts'
import { writeChunk } from '../src/domain/history/writeChunk.ts'
import { type Picture, pictureOf } from '../src/domain/locks/picture.ts'
import { maskQuery } from '../src/domain/text/mask.ts'
import { createLog } from '../src/log.ts'
import { createCluster } from '../src/postgres/cluster.ts'
import { longestChunkMs, packPiece, whole } from '../src/store/history/pieces.ts'
import { openStore, type StoreSettings } from '../src/store/store.ts'
import { createRecorder } from '../src/watch/recorder.ts'
import { connect } from './sessions.ts'
import { startShift } from './shift.ts'

const minutes = Number(process.argv[2] ?? 5)
const sessions = 200
const everyMs = 5_000
const dayMs = 86_400_000
const weekMs = 7 * dayMs
const fleetClusters = 500
const log = createLog({ level: 'silent' })
const say = (text: string) => console.log(text)
const rounded = (value: number, digits = 1) => Number(value.toFixed(digits))

const server = await startPostgres({
  settings: { max_connections: sessions + 30, shared_buffers: '32MB', fsync: false },
})
const home = await mkdtemp(join(tmpdir(), 'pg-marshal-history-'))
try {
  const url = await server.createRole('marshal', ['pg_monitor'])
  const pictures = await realLooks(url)
  const written = await recordOf(pictures)
  say(JSON.stringify(written))
  const settings: StoreSettings[] = [
    { kind: 'sqlite', path: join(home, 'week.db') },
    { kind: 'postgres', url: await ownDatabase('week') },
  ]
  const weeks: Awaited<ReturnType<typeof weekOf>>[] = []
  for (const one of settings) {
    const week = await weekOf(one, pictures)
    say(JSON.stringify(week))
    weeks.push(week)
  }
  const fleet = await fleetOf({ kind: 'sqlite', path: join(home, 'fleet.db') })
  say(JSON.stringify(fleet))
  const note = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`
  const results = { at: new Date().toISOString(), machine: note, real: written, weeks, fleet }
  const directory = new URL('results/', import.meta.url)
  await mkdir(directory, { recursive: true })
  await writeFile(new URL('history.json', directory), `${JSON.stringify(results, null, 2)}\n`)
  say('written to bench/results/history.json')
} finally {
  await server.stop()
  await rm(home, { recursive: true })
}

async function ownDatabase(name: string): Promise<string> {
  const url = await server.createRole(name)
  const admin = await connect(server.url, 'bench')
  await admin.query(`CREATE SCHEMA ${name} AUTHORIZATION ${name}`)
  await admin.end()
  return url
}

/** Looks at sessions at work, as the bot does. */
async function realLooks(url: string): Promise<Picture[]> {
  const shift = await startShift(server.url, sessions)
  const cluster = createCluster({
    ...{ name: 'orders', url, log, now: Date.now },
    maskText: maskQuery,
    recordText: maskQuery,
  })
  await cluster.start()
  const pictures: Picture[] = []
  const until = performance.now() + minutes * 60_000
  for (let next = performance.now(); next < until; next += everyMs) {
    await pause(Math.max(0, next - performance.now()))
    const snapshot = await cluster.snapshot()
    const withHealth = pictures.length % 12 === 0 ? { ...snapshot, health: await cluster.health() } : snapshot
    pictures.push(pictureOf(withHealth))
  }
  await cluster.close()
  await shift.end()
  return pictures
}

/** Records these looks one by one, as they came. */
async function recordOf(pictures: readonly Picture[]) {
  const store = await openStore({ kind: 'sqlite', path: join(home, 'real.db') })
  const recorder = createRecorder({
    ...{ history: store.history, everyMsOf: () => everyMs, maskText: maskQuery, log, now: Date.now },
  })
  const before = process.cpuUsage()
  const longest: number[] = []
  for (const picture of pictures) {
    const begun = performance.now()
    recorder.saw(picture)
    longest.push(performance.now() - begun)
    await recorder.settle()
  }
  await recorder.stop()
  const { user, system } = process.cpuUsage(before)
  const { bytes } = await store.history.extent()
  await store.close()
  const seconds = (pictures.length * everyMs) / 1000
  const waiting = pictures.map(({ forest }) => forest.waits.size)
  return {
    sessions,
    everySeconds: everyMs / 1000,
    looks: pictures.length,
    looksWithWaits: waiting.filter((count) => count > 0).length,
    mostWaiting: Math.max(...waiting),
    megabytesADay: rounded((bytes / seconds) * 86_400 * 1e-6),
    corePercent: rounded(((user + system) / 1e6 / seconds) * 100, 2),
    /** Time that a look waits for the recorder, milliseconds. */
    longestInTheWayMs: rounded(Math.max(...longest), 2),
  }
}

/** A week of the same looks, moved to each five minutes of it. */
async function weekOf(settings: StoreSettings, pictures: readonly Picture[]) {
  const store = await openStore(settings)
  const { history } = store
  const start = Date.UTC(2026, 2, 1)
  const looks = pictures.slice(0, longestChunkMs / everyMs).map((picture) => lookAt(picture, maskQuery))
  const head = { cluster: 'orders', everyMs, startedAt: looks[0]?.takenAt ?? 0 }
  const writer = writeChunk(head)
  const rows = looks.map(writer.add)
  await history.addTexts('orders', writer.takeTexts(), start)
  for (let from = start; from < start + weekMs; from += longestChunkMs)
    await history.addPieces([
      {
        ...{ chunk: `week ${from}`, piece: whole, cluster: 'orders', changes: [from] },
        data: packPiece([{ ...head, startedAt: from }, ...rows]),
        fromAt: from,
        toAt: from + (looks.length - 1) * everyMs,
      },
    ])
  const { bytes } = await history.extent()
  const times: number[] = []
  for (let turn = 0; turn < 200; turn++) {
    const at = start + Math.floor(Math.random() * weekMs)
    times.push(await msOf(() => momentIn(history, 'orders', at)))
  }
  times.sort((a, b) => a - b)
  const hourMs = await msOf(async () => {
    for await (const _ of history.each('orders', start + 4 * dayMs, start + 4 * dayMs + 3_600_000));
  })
  const changeMs = await msOf(() => history.changeAfter('orders', start + weekMs / 2))
  const pruneDayMs = await msOf(() => history.prune(start + dayMs))
  const shrinkMs = await msOf(() => history.shrink(bytes / 2))
  await store.close()
  return {
    store: settings.kind,
    looks: (weekMs / everyMs) | 0,
    megabytes: rounded(bytes * 1e-6),
    atP50Ms: rounded(times[100] ?? 0),
    atP95Ms: rounded(times[190] ?? 0),
    readHourMs: rounded(hourMs),
    nextChangeMs: rounded(changeMs),
    pruneOneDayMs: rounded(pruneDayMs),
    shrinkToHalfMs: rounded(shrinkMs),
  }
}

/** A day of 500 clusters, in rows that are small: what is asked of all of them at once. */
async function fleetOf(settings: StoreSettings) {
  const store = await openStore(settings)
  const { history } = store
  const start = Date.UTC(2026, 2, 1)
  const chunks = dayMs / longestChunkMs
  for (let at = 0; at < chunks; at++) {
    const fromAt = start + at * longestChunkMs
    const one = {
      piece: 0,
      changes: [],
      data: packPiece([]),
      fromAt,
      toAt: fromAt + longestChunkMs - everyMs,
    }
    await history.addPieces(
      Array.from({ length: fleetClusters }, (_, index) => ({
        ...{ chunk: `${at * 7919} ${index}`, cluster: `cluster-${index}` },
        ...one,
      })),
    )
  }
  const extentMs = await msOf(() => history.extent())
  const changeMs = await msOf(() => history.changeAfter('cluster-77', start + dayMs / 2))
  const atMs = await msOf(() => history.at('cluster-77', start + dayMs / 2))
  const pruneMs = await msOf(() => history.prune(start + longestChunkMs * 2 + 1))
  await store.close()
  return {
    clusters: fleetClusters,
    chunks: fleetClusters * chunks,
    extentMs: rounded(extentMs),
    nextChangeMs: rounded(changeMs),
    atMs: rounded(atMs),
    pruneFiveMinutesMs: rounded(pruneMs),
  }
}

async function msOf(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}
