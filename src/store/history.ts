import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { type Kysely, sql } from 'kysely'
import { type Row, readChunk, wordsIn } from '../domain/history/chunk.ts'
import type { PastLook } from '../domain/history/look.ts'
import type { HistoryDatabase } from './database.ts'
import { StoreError } from './failure.ts'
import type { Schema } from './schema.ts'

/** A part of a chunk of looks. */
export type HistoryPiece = {
  readonly chunk: string
  /** From 0; see `whole`. */
  readonly piece: number
  readonly cluster: string
  /** Times of the first and the last look in it, milliseconds. */
  readonly fromAt: number
  readonly toAt: number
  /** Times of the looks that show another jam than the one before. */
  readonly changes: readonly number[]
  readonly rows: readonly Row[]
}

/** A look with the interval of its time, milliseconds. */
export type FoundLook = { readonly look: PastLook; readonly everyMs: number }

/** Record of the looks at all clusters. Nothing of it excludes, or waits for, those who write something of weight. */
export type History = {
  /** Writes statements by id, which the pieces that follow name. */
  addTexts(cluster: string, texts: ReadonlyMap<string, string>, at: number): Promise<void>
  addPieces(pieces: readonly HistoryPiece[]): Promise<void>
  /** Puts one row in the place of the pieces of a chunk that nothing is added to any more. */
  join(chunk: string): Promise<void>
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
  /** Removes the chunks that end before this time, and the statements that none names any more. */
  prune(before: number): Promise<void>
  /** Removes the oldest chunks until no more than so many bytes are left. @returns the number of chunks */
  shrink(mostBytes: number): Promise<number>
  extent(): Promise<HistoryExtent>
}

/** Room that the record takes, and the time of its oldest look, milliseconds; null: it has none. */
export type HistoryExtent = { readonly bytes: number; readonly oldestAt: number | null }

export type LooksAround = {
  /** The look before the one that was found, and the one after it (or after the time, where none was found); milliseconds. */
  readonly before: number | null
  readonly after: number | null
  readonly found: FoundLook | null
}

/** Number of a piece that is the whole chunk. */
const whole = -1

/** Milliseconds between the first and the last look of a chunk, at most. */
export const longestChunkMs = 300_000

/** A statement is marked as used no more often than so, milliseconds. */
export const markTextsMs = 3_600_000

/** Rows that are written or looked up at once. */
const batch = 200
/** Pieces that are looked at to remove their chunks at once, so that others get their turn. */
const removedAtOnce = 50

/** Measured in bench/history.ts: higher ones cost more time than they save room. */
const level = 9

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
/** Without the size zstd makes room for megabytes each time. */
const pack = (json: string): Promise<Uint8Array> => {
  const bytes = Buffer.from(json)
  return compress(bytes, {
    pledgedSrcSize: bytes.length,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  })
}

export function historyIn(use: HistoryDatabase): History {
  const textsOf = async (cluster: string, ids: readonly string[]): Promise<Map<string, string>> => {
    const texts = new Map<string, string>()
    for (let at = 0; at < ids.length; at += batch) {
      const some = await use((db) =>
        db
          .selectFrom('history_texts')
          .select(['id', 'text'])
          .where('cluster', '=', cluster)
          .where('id', 'in', ids.slice(at, at + batch))
          .execute(),
      )
      for (const { id, text } of some) texts.set(id, text)
    }
    return texts
  }

  /** Reads all looks of these chunks, in order; what two replicas saw at one moment once. */
  const read = async (cluster: string, chunks: readonly string[]): Promise<FoundLook[]> => {
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
      const unpacked = await Promise.all(pieces.map(({ data }) => unpack(chunk, data)))
      rows.push(unpacked.flatMap((json): Row[] => JSON.parse(json)))
    }
    const texts = await textsOf(cluster, [...new Set(rows.flatMap(wordsIn))])
    const looks = new Map<number, FoundLook>()
    for (const ofChunk of rows) {
      const [head] = ofChunk
      const everyMs = head && 'everyMs' in head ? head.everyMs : 0
      for (const look of readChunk(ofChunk, (id) => texts.get(id))) {
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
      const looks = await read(cluster, group)
      await nextTurn()
      return looks.filter(({ look }) => look.takenAt >= from && look.takenAt <= to)
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

  /** Removes some of the oldest chunks that begin before this time, no more than have so many bytes, but for the last of them. */
  const removeOldest = (before: number, bytes = Number.POSITIVE_INFINITY) =>
    use(async (db) => {
      const oldest = await db
        .selectFrom('history_chunks')
        .select('chunk')
        .where('from_at', '<', before)
        .orderBy('from_at')
        .limit(removedAtOnce)
        .execute()
      if (oldest.length === 0) return []
      const rows = await db
        .selectFrom('history_chunks')
        .select(({ fn }) => ['chunk', fn.min('from_at').as('start'), fn.sum('bytes').as('bytes')])
        .where(
          'chunk',
          'in',
          oldest.map(({ chunk }) => chunk),
        )
        .groupBy('chunk')
        .orderBy('start')
        .execute()
      let sum = 0
      const chunks: { readonly chunk: string; readonly bytes: number }[] = []
      for (const { chunk, bytes: own } of rows) {
        if (sum >= bytes) break
        chunks.push({ chunk, bytes: Number(own) })
        sum += Number(own)
      }
      await db
        .deleteFrom('history_chunks')
        .where(
          'chunk',
          'in',
          chunks.map(({ chunk }) => chunk),
        )
        .execute()
      return chunks
    })

  const removeTexts = (before: number): Promise<number> =>
    use(async (db) => {
      const { numDeletedRows } = await db
        .deleteFrom('history_texts')
        .where('used_at', '<', before - markTextsMs)
        .executeTakeFirst()
      return Number(numDeletedRows)
    })

  const extent = (): Promise<HistoryExtent> =>
    use(async (db) => {
      const bytes = async (table: 'history_chunks' | 'history_texts') => {
        const row = await db
          .selectFrom(table)
          .select(sql<number | string | null>`sum(bytes)`.as('bytes'))
          .executeTakeFirst()
        return Number(row?.bytes ?? 0)
      }
      const oldestAt = await startOf(db)
      return { bytes: (await bytes('history_chunks')) + (await bytes('history_texts')), oldestAt }
    })

  return {
    extent,
    each,
    async between(cluster, from, to) {
      const looks: FoundLook[] = []
      for await (const look of each(cluster, from, to)) looks.push(look)
      return looks
    },
    async addTexts(cluster, texts, at) {
      const all = [...texts].map(([id, text]) => ({
        ...{ cluster, id, text, used_at: at },
        bytes: Buffer.byteLength(text),
      }))
      for (let from = 0; from < all.length; from += batch)
        await use((db) =>
          db
            .insertInto('history_texts')
            .values(all.slice(from, from + batch))
            .onConflict((conflict) =>
              conflict
                .columns(['cluster', 'id'])
                .doUpdateSet({ used_at: at })
                // What was seen before a clock was set back still needs it.
                .where('history_texts.used_at', '<', at),
            )
            .execute(),
        )
    },
    async addPieces(pieces) {
      const rows: Awaited<ReturnType<typeof rowOf>>[] = []
      // One after the other: those of hundreds of clusters at once would take memory that never comes back.
      for (const piece of pieces) rows.push(await rowOf(piece, JSON.stringify(piece.rows)))
      for (let from = 0; from < rows.length; from += batch)
        await use((db) =>
          db
            .insertInto('history_chunks')
            .values(rows.slice(from, from + batch))
            .execute(),
        )
    },
    async join(chunk) {
      const pieces = await use((db) =>
        db
          .selectFrom('history_chunks')
          .selectAll()
          .where('chunk', '=', chunk)
          .where('piece', '>', whole)
          .orderBy('piece')
          .execute(),
      )
      const [first] = pieces
      if (!first || pieces.length < 2) return
      const lists = await Promise.all(pieces.map(({ data }) => unpack(chunk, data)))
      const joined = await rowOf(
        {
          ...{ chunk, piece: whole, cluster: first.cluster },
          fromAt: Number(first.from_at),
          toAt: Number(pieces.at(-1)?.to_at),
          changes: pieces.flatMap(({ changes }) => JSON.parse(changes) as number[]),
        },
        // They are lists, none empty: there is no need to read them.
        `[${lists.map((list) => list.slice(1, -1)).join()}]`,
      )
      await use(async (db) => {
        await db.deleteFrom('history_chunks').where('chunk', '=', chunk).execute()
        await db.insertInto('history_chunks').values(joined).execute()
      })
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
    changeBefore: (cluster, at) =>
      use(async (db) => {
        const rows = await db
          .selectFrom('history_chunks')
          .select('changes')
          .where('cluster', '=', cluster)
          .where('from_at', '<=', at)
          .where('changes', '!=', '[]')
          .orderBy('from_at', 'desc')
          .limit(10)
          .execute()
        const times = rows.flatMap(({ changes }) => JSON.parse(changes) as number[])
        return times.filter((time) => time <= at).sort((a, b) => b - a)[0] ?? null
      }),
    changeAfter: (cluster, at) =>
      use(async (db) => {
        const rows = await db
          .selectFrom('history_chunks')
          .select('changes')
          .where('cluster', '=', cluster)
          .where('from_at', '>=', at - longestChunkMs)
          .where('to_at', '>', at)
          .where('changes', '!=', '[]')
          .orderBy('from_at')
          .limit(10)
          .execute()
        const times = rows.flatMap(({ changes }) => JSON.parse(changes) as number[])
        return times.filter((time) => time > at).sort((a, b) => a - b)[0] ?? null
      }),
    async prune(before) {
      // A chunk that begins so early has ended before that time.
      while ((await removeOldest(before - longestChunkMs)).length > 0) await nextTurn()
      await removeTexts(before)
    },
    async shrink(mostBytes) {
      let dropped = 0
      let over = (await extent()).bytes - mostBytes
      while (over > 0) {
        const chunks = await removeOldest(Number.MAX_SAFE_INTEGER, over)
        if (chunks.length === 0) return dropped
        dropped += chunks.length
        over -= chunks.reduce((sum, { bytes }) => sum + bytes, 0)
        const removed = await removeTexts((await use(startOf)) ?? Number.MAX_SAFE_INTEGER)
        if (removed > 0) over = (await extent()).bytes - mostBytes
        await nextTurn()
      }
      return dropped
    },
  }
}

/** Time of the first look of all; null without any. */
async function startOf(db: Kysely<Schema>): Promise<number | null> {
  const row = await db
    .selectFrom('history_chunks')
    .select('from_at')
    .orderBy('from_at')
    .limit(1)
    .executeTakeFirst()
  return row ? Number(row.from_at) : null
}

async function rowOf(
  { chunk, piece, cluster, fromAt, toAt, changes }: Omit<HistoryPiece, 'rows'>,
  json: string,
) {
  const data = await pack(json)
  return {
    ...{ chunk, piece, cluster, from_at: fromAt, to_at: toAt },
    ...{ changes: JSON.stringify(changes), bytes: data.byteLength, data },
  }
}

async function unpack(chunk: string, data: Uint8Array): Promise<string> {
  try {
    return (await decompress(data)).toString()
  } catch (error) {
    throw new StoreError(`I cannot read chunk ${chunk} of its table history_chunks`, error)
  }
}
