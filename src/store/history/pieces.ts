import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Row } from '../../domain/history/chunk.ts'
import { StoreError } from '../failure.ts'

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

/** Number of a piece that is the whole chunk. */
export const whole = -1

/** Milliseconds between the first and the last look of a chunk, at most. */
export const longestChunkMs = 300_000

/** Rows that are written or looked up at once. */
export const batch = 200

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

export async function rowOf(
  { chunk, piece, cluster, fromAt, toAt, changes }: Omit<HistoryPiece, 'rows'>,
  json: string,
) {
  const data = await pack(json)
  return {
    ...{ chunk, piece, cluster, from_at: fromAt, to_at: toAt },
    ...{ changes: JSON.stringify(changes), bytes: data.byteLength, data },
  }
}

export async function unpack(chunk: string, data: Uint8Array): Promise<string> {
  try {
    return (await decompress(data)).toString()
  } catch (error) {
    throw new StoreError(`I cannot read chunk ${chunk} of its table history_chunks`, error)
  }
}
