import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type Paired = {
  /** Transactions a second without and with, one pair after the other. */
  readonly pairs: readonly { readonly without: number; readonly withLooks: number }[]
  /** The middle one of (with / without). */
  readonly medianRatio: number
  readonly lowestRatio: number
  readonly highestRatio: number
}

/** Runs the load by turns with one look a second and without any; who goes first changes from pair to pair. */
export async function pairedRuns(
  url: string,
  look: () => Promise<unknown>,
  pairs: number,
  ms: number,
): Promise<Paired> {
  const program = fileURLToPath(new URL('load.ts', import.meta.url))
  const child = spawn(process.execPath, [program, url], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  const run = async (withLooks: boolean): Promise<number> => {
    const timer = withLooks ? setInterval(() => void look(), 1_000) : undefined
    if (withLooks) void look()
    child.stdin.write(`${ms}\n`)
    const { value } = await lines.next()
    clearInterval(timer)
    return Number(value) / (ms / 1_000)
  }
  // The first run fills caches.
  await run(false)
  const results: { without: number; withLooks: number }[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const first = await run(pair % 2 === 0)
    const second = await run(pair % 2 === 1)
    results.push(
      pair % 2 === 0 ? { withLooks: first, without: second } : { without: first, withLooks: second },
    )
  }
  child.stdin.end()
  const ratios = results.map(({ without, withLooks }) => withLooks / without).sort((a, b) => a - b)
  return {
    pairs: results,
    medianRatio: ratios[Math.floor(ratios.length / 2)] ?? 1,
    lowestRatio: ratios[0] ?? 1,
    highestRatio: ratios.at(-1) ?? 1,
  }
}
