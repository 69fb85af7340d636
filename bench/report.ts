import type { Cost } from './measure.ts'
import type { Paired } from './paired.ts'
import type { Shape } from './sessions.ts'
import type { StormResult } from './storm.ts'

export type Row = {
  readonly shape: Shape
  readonly waiting: number
  readonly tool: string
  readonly cost: Cost | null
}

export type Results = {
  readonly at: string
  readonly machine: string
  readonly server: string
  readonly note: string
  readonly rows: readonly Row[]
  readonly storms: readonly StormResult[]
  readonly load: (Paired & { readonly waiting: number }) | null
}

export const ours = 'pg-marshal'

/**
 * Compares the costs of the others, as multiples of ours on the same server in the same shape. `>`: it was given up by
 * then.
 */
export function table(rows: readonly Row[]): string {
  const lines = [['shape', 'waiting', 'tool', 'server ms', '× ours', 'client ms', 'bytes', '× ours']]
  for (const { shape, waiting, tool, cost } of rows) {
    const mine = rows.find((row) => row.tool === ours && row.shape === shape && row.waiting === waiting)?.cost
    const over = cost?.timedOut ? '> ' : ''
    lines.push(
      cost === null
        ? [shape, String(waiting), tool, 'given up', '', '', '', '']
        : [
            shape,
            String(waiting),
            tool,
            `${over}${digits(cost.serverMs)}`,
            mine ? `${over}${digits(cost.serverMs / mine.serverMs)}` : '',
            cost.timedOut ? '' : digits(cost.clientMs),
            cost.timedOut ? '' : String(cost.bytes),
            cost.timedOut || !mine ? '' : digits(cost.bytes / mine.bytes),
          ],
    )
  }
  return columns(lines)
}

export function stormTable(storms: readonly StormResult[]): string {
  const names = Object.keys(storms[0]?.longest ?? {})
  const lines = [
    ['the longest time without a picture', ...storms.map(({ waiting }) => `${waiting} sessions`)],
  ]
  for (const name of names)
    lines.push([
      name,
      ...storms.map(({ longest }) => {
        const { longestMs = 0, pictures = 0 } = longest[name] ?? {}
        return `${(longestMs / 1_000).toFixed(2)} s (${pictures} pictures)`
      }),
    ])
  lines.push(['the storm lasted', ...storms.map(({ lastedSeconds }) => `${lastedSeconds} s`)])
  return columns(lines)
}

const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, index) =>
          /^[>\d]/.test(cell) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Says what the pairs show, and whether they show anything: on a shared machine they scatter more than a snapshot costs. */
export function loadText(load: NonNullable<Results['load']>, rows: readonly Row[]): string {
  const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`
  const cost = rows.find(
    ({ tool, shape, waiting }) => tool === ours && shape === 'row queue' && waiting === load.waiting,
  )?.cost
  const cpu = cost ? ` It takes ${digits(cost.serverMs)} ms of the server's CPU each time.` : ''
  const isNoise = load.lowestRatio < 1 && load.highestRatio > 1
  return (
    `One snapshot a second, while ${load.waiting} sessions wait, leaves a busy load ${percent(load.medianRatio)} of its transactions ` +
    `(the middle of ${load.pairs.length} pairs, from ${percent(load.lowestRatio)} to ${percent(load.highestRatio)}${isNoise ? ': it is lost in the noise' : ''}).${cpu}`
  )
}

/** One row a line, no digits that mean nothing, and as the formatter of this project would have it. */
export function asJson({ rows, storms, load, ...head }: Results): string {
  const short = (value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value)
  const list = (lines: readonly (readonly unknown[])[]) =>
    `[\n${lines.map((line) => `    [${line.map((cell) => JSON.stringify(short(cell))).join(', ')}]`).join(',\n')}\n  ]`
  const fields = [
    ...Object.entries(head).map(([key, value]) => [key, JSON.stringify(value)]),
    ['rowColumns', '["shape", "waiting", "tool", "serverMs", "clientMs", "wallMs", "bytes", "gaveUp"]'],
    [
      'rows',
      list(
        rows.map(({ shape, waiting, tool, cost }) => [
          ...[shape, waiting, tool],
          ...(cost
            ? [cost.serverMs, cost.clientMs, cost.wallMs, cost.bytes, cost.timedOut]
            : [null, null, null, null, true]),
        ]),
      ),
    ],
    ['stormColumns', '["waiting", "lastedSeconds", "who", "longestMsWithoutPicture", "pictures"]'],
    [
      'storms',
      list(
        storms.flatMap(({ waiting, lastedSeconds, longest }) =>
          Object.entries(longest).map(([who, { longestMs, pictures }]) => [
            waiting,
            lastedSeconds,
            who,
            longestMs,
            pictures,
          ]),
        ),
      ),
    ],
    ['loadWaiting', String(load?.waiting ?? null)],
    ['loadColumns', '["transactionsWithout", "transactionsWithOneLookASecond"]'],
    ['loadPairs', list((load?.pairs ?? []).map(({ without, withLooks }) => [without, withLooks]))],
  ]
  return `{\n${fields.map(([key, value]) => `  "${key}": ${value}`).join(',\n')}\n}\n`
}
