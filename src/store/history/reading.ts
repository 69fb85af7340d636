import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Row, textIdsIn } from '../../domain/history/chunk.ts'
import type { PastLook } from '../../domain/history/look.ts'
import { readChunk } from '../../domain/history/readChunk.ts'
import type { HistoryDatabase } from '../database.ts'
import { longestChunkMs, rowsIn, whole } from './pieces.ts'
import { textsIn } from './texts.ts'

/** A look with the interval of its time, milliseconds. */
export type FoundLook = { readonly look: PastLook; readonly everyMs: number }

export type LooksAround = {
  /** The look before the one that was found, and the one after it (or after the time, where none was found); milliseconds. */
  readonly before: number | null
  readonly after: number | null
  readonly found: FoundLook | null
}

export type HistoryReading = {
  /** Reads the looks between two times, both included, in order: for a long time, of which only a part is in memory at once. */
  each(cluster: string, from: number, to: number): AsyncIterable<FoundLook>
  /** Lists them: for a short time. */
  between(cluster: string, from: number, to: number): Promise<FoundLook[]>
  /** Finds the look at this time or before it, and those beside that one. */
  at(cluster: string, at: number): Promise<LooksAround>
  /** Finds the last look at this time or before it that shows another jam than the one before it. */
  changeBefore(cluster: string, at: number): Promise<number | null>
  /** Finds the first look after this time that does. */
  changeAfter(cluster: string, at: number): Promise<number | null>
}

const unknownFormat =
  'Another version of pg-marshal recorded some of the looks, in a format that this one does not know: they count as not seen.'

/** @param warn says, once, that looks are left out, since they are in a format that this version does not know */
export function readingIn(use: HistoryDatabase, warn: (sentence: string) => void): HistoryReading {
  const texts = textsIn(use)
  let hasWarned = false
  const leaveOut = () => {
    if (!hasWarned) warn(unknownFormat)
    hasWarned = true
  }

  /** Reads the looks of these chunks between two times, in order; what two replicas saw at one moment once. */
  const read = async (
    cluster: string,
    chunks: readonly string[],
    from?: number,
    to?: number,
  ): Promise<FoundLook[]> => {
    if (chunks.length === 0) return []
    const found = await use((db) =>
      db
        .selectFrom('history_chunks')
        .select(['chunk', 'piece', 'data'])
        .where('chunk', 'in', chunks)
        .orderBy('piece')
        .execute(),
    )
    const rows: Row[][] = []
    for (const [chunk, pieces] of Map.groupBy(found, ({ chunk }) => chunk)) {
      // Of one whose beginning is gone nothing can be read.
      if (pieces[0]?.piece !== whole && pieces[0]?.piece !== 0) continue
      const ofChunk = await rowsIn(chunk, pieces)
      if (ofChunk) rows.push(ofChunk)
      else leaveOut()
    }
    const statements = await texts.find(cluster, [...new Set(rows.flatMap(textIdsIn))])
    const looks = new Map<number, FoundLook>()
    for (const ofChunk of rows) {
      const [head] = ofChunk
      const everyMs = head && 'everyMs' in head ? head.everyMs : 0
      for (const look of readChunk(ofChunk, (id) => statements.get(id), from, to)) {
        // Who saw something knows more than who did not.
        if ('snapshot' in look || !looks.has(look.takenAt)) looks.set(look.takenAt, { look, everyMs })
      }
    }
    return [...looks.values()].sort((a, b) => a.look.takenAt - b.look.takenAt)
  }

  /** The chunks that may have looks between these times, in order of their beginnings. */
  const chunksIn = (cluster: string, from: number, to: number) =>
    use(async (db) => {
      const rows = await db
        .selectFrom('history_chunks')
        .select(({ fn }) => ['chunk', fn.min('from_at').as('start'), fn.max('to_at').as('end')])
        .where('cluster', '=', cluster)
        .where('from_at', '>=', from - longestChunkMs)
        .where('from_at', '<=', to)
        .where('to_at', '>=', from)
        .groupBy('chunk')
        .orderBy('start')
        .execute()
      return rows.map(({ chunk, start, end }) => ({ chunk, start: Number(start), end: Number(end) }))
    })

  /** Reads them group by group: those of a group overlap in time, as those of two replicas do. */
  async function* each(cluster: string, from: number, to: number): AsyncGenerator<FoundLook> {
    let group: string[] = []
    let until = Number.NEGATIVE_INFINITY
    const looksOf = async () => {
      const looks = await read(cluster, group, from, to)
      await nextTurn()
      return looks
    }
    for (const { chunk, start, end } of await chunksIn(cluster, from, to)) {
      if (start > until) {
        yield* await looksOf()
        group = []
      }
      group.push(chunk)
      until = Math.max(until, end)
    }
    yield* await looksOf()
  }

  /** Time of the last piece that begins at this time or before, or of the first one after it. */
  const startBeside = (cluster: string, at: number, side: '<=' | '>'): Promise<number | null> =>
    use(async (db) => {
      const row = await db
        .selectFrom('history_chunks')
        .select('from_at')
        .where('cluster', '=', cluster)
        .where('from_at', side, at)
        .orderBy('from_at', side === '>' ? 'asc' : 'desc')
        .limit(1)
        .executeTakeFirst()
      return row ? Number(row.from_at) : null
    })

  /** All looks of the chunks that may have the last one at this time or before. */
  const around = async (cluster: string, at: number): Promise<FoundLook[]> => {
    const start = await startBeside(cluster, at, '<=')
    if (start === null) return []
    const chunks = await chunksIn(cluster, start, at)
    return read(
      cluster,
      chunks.map(({ chunk }) => chunk),
    )
  }

  /** Time of the nearest look on this side that shows another jam than the one before it. */
  const changeBeside = (cluster: string, at: number, side: '<=' | '>'): Promise<number | null> =>
    use(async (db) => {
      const changing = db
        .selectFrom('history_chunks')
        .select('changes')
        .where('cluster', '=', cluster)
        .where('changes', '!=', '[]')
        // Those of several replicas overlap: the nearest change is in one of these.
        .limit(10)
      const near =
        side === '>'
          ? changing
              .where('from_at', '>=', at - longestChunkMs)
              .where('to_at', '>', at)
              .orderBy('from_at')
          : changing.where('from_at', '<=', at).orderBy('from_at', 'desc')
      const times = (await near.execute()).flatMap(({ changes }) => JSON.parse(changes) as number[])
      const onSide = times.filter((time) => (side === '>' ? time > at : time <= at)).sort((a, b) => a - b)
      return (side === '>' ? onSide[0] : onSide.at(-1)) ?? null
    })

  return {
    each,
    async between(cluster, from, to) {
      const looks: FoundLook[] = []
      for await (const look of each(cluster, from, to)) looks.push(look)
      return looks
    },
    async at(cluster, at) {
      const looks = await around(cluster, at)
      const index = looks.findLastIndex(({ look }) => look.takenAt <= at)
      const found = looks[index] ?? null
      const here = found?.look.takenAt ?? at
      const inOlder = index === 0 ? await around(cluster, here - 1) : looks
      const before = inOlder.findLast(({ look }) => look.takenAt < here)?.look.takenAt ?? null
      const next = [looks[index + 1]?.look.takenAt ?? null, await startBeside(cluster, here, '>')]
      const after = next.filter((one) => one !== null).sort((a, b) => a - b)[0] ?? null
      return { found, before: found ? before : null, after }
    },
    changeBefore: (cluster, at) => changeBeside(cluster, at, '<='),
    changeAfter: (cluster, at) => changeBeside(cluster, at, '>'),
  }
}
