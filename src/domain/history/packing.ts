import { fieldCount, fieldsIn, isLook, type LookRow, type Row } from './chunk.ts'

/**
 * Rows as bytes that can be compressed well. The numbers of a field stand together, with the lowest byte of all of them, then the
 * next one of all: what is alike is side by side. Everything else is JSON.
 */

/** First byte: another one is that of a format which this version does not know. */
const version = 1
/** The version, and the length of the JSON in four bytes. */
const headBytes = 5

/** A look with the number of the sessions that changed in the place of what changed. */
type PackedLook = LookRow extends readonly [number, unknown, ...infer Rest]
  ? readonly [ms: number, count: number, ...Rest]
  : never

type Packed = {
  readonly rows: readonly (Exclude<Row, LookRow> | PackedLook)[]
  /** Numbers in each list, and the bytes that each of them takes. */
  readonly sizes: readonly (readonly [count: number, width: number])[]
}

/** The lists of numbers: positions, masks, and the values of each field. */
const slotList = 0
const maskList = 1
const listOf = (field: number) => 2 + field
const listCount = 2 + fieldCount

export function packRows(rows: readonly Row[]): Uint8Array {
  const lists = Array.from({ length: listCount }, (): number[] => [])
  const put = (list: number, number: number) => lists[list]?.push(number)
  const withoutNumbers = rows.map((row) => {
    if (!isLook(row)) return row
    const [ms, [slots, masks, values], ...rest] = row
    let at = 0
    for (const [index, mask] of masks.entries()) {
      put(slotList, slots[index] ?? 0)
      put(maskList, mask)
      for (let field = 0; mask >> field > 0; field++)
        if ((mask >> field) & 1) put(listOf(field), values[at++] ?? 0)
    }
    return [ms, masks.length, ...rest] as const
  })
  const sizes = lists.map((list) => [list.length, widthOf(list)] as const)
  const packed: Packed = { rows: withoutNumbers, sizes }
  const json = Buffer.from(JSON.stringify(packed))
  const size = sizes.reduce((sum, [count, width]) => sum + count * width, headBytes + json.length)
  const bytes = Buffer.allocUnsafe(size)
  bytes.writeUInt8(version)
  bytes.writeUInt32LE(json.length, 1)
  let end = headBytes + json.copy(bytes, headBytes)
  for (const [index, list] of lists.entries()) end = writeNumbers(bytes, end, list, sizes[index]?.[1] ?? 0)
  return bytes
}

/** @returns null where they are in another format */
export function unpackRows(bytes: Buffer): Row[] | null {
  if (bytes[0] !== version) return null
  let end = headBytes + bytes.readUInt32LE(1)
  const { rows, sizes }: Packed = JSON.parse(bytes.toString('utf8', headBytes, end))
  const lists = sizes.map(([count, width]) => {
    const from = end
    end += count * width
    return numbersIn(bytes.subarray(from, end), count, width).values()
  })
  const take = (list: number): number => lists[list]?.next().value ?? 0
  return rows.map((row): Row => {
    if ('startedAt' in row || row.length === 2) return row
    const [ms, count, ...rest] = row
    const slots: number[] = []
    const masks: number[] = []
    const values: number[] = []
    for (let index = 0; index < count; index++) {
      slots.push(take(slotList))
      const mask = take(maskList)
      masks.push(mask)
      for (const field of fieldsIn(mask)) values.push(take(listOf(field)))
    }
    return [ms, [slots, masks, values], ...rest]
  })
}

function widthOf(numbers: readonly number[]): number {
  let most = 0
  for (const number of numbers) if (number > most) most = number
  let width = 0
  while (most >= 256 ** width) width++
  return width
}

/** Writes them from this place on. @returns the place after them */
function writeNumbers(bytes: Uint8Array, from: number, numbers: readonly number[], width: number): number {
  let at = from
  for (let place = 0; place < width; place++) {
    const unit = 256 ** place
    for (const number of numbers) bytes[at++] = Math.floor(number / unit) % 256
  }
  return at
}

function numbersIn(bytes: Uint8Array, count: number, width: number): number[] {
  const numbers = new Array<number>(count).fill(0)
  for (let place = 0; place < width; place++)
    for (let index = 0; index < count; index++)
      numbers[index] = (numbers[index] ?? 0) + (bytes[place * count + index] ?? 0) * 256 ** place
  return numbers
}
