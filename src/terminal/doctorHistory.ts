import type { Config } from '../config/config.ts'
import { formatDuration } from '../domain/text/duration.ts'
import { formatSize } from '../domain/text/size.ts'
import { type Check, fine } from './doctorCheck.ts'
import type { Memory } from './doctorMemory.ts'

/** Share of history.most from which on the oldest looks go: it is kept by whole chunks, and looked at every few minutes. */
const full = 0.9
/** Milliseconds by which a record may be shorter than it is kept. */
const leewayMs = 3_600_000

/** Looks how far the record of looks goes back, and whether its room ends it earlier than configured. */
export function checkHistory(memory: Memory, { keepMs, mostBytes }: Config['history'], now: number): Check[] {
  if (keepMs === null) return [fine('looks are not recorded (history.keep: off)')]
  if ('failure' in memory) return []
  const { history } = memory
  if ('failure' in history)
    return [{ what: 'the record of looks cannot be read', fix: history.failure, needed: false }]
  const { bytes, oldestAt } = history
  if (oldestAt === null) return [fine('the record of looks is empty')]
  const backMs = Math.max(0, now - oldestAt)
  const what = `the record of looks goes back ${formatDuration(backMs / 1000)}, in ${formatSize(bytes)}`
  if (bytes < full * mostBytes || backMs >= keepMs - leewayMs) return [fine(what)]
  return [
    {
      what: `${what}: history.most (${formatSize(mostBytes)}) is reached, so the oldest go before history.keep (${formatDuration(keepMs / 1000)}) is over`,
      fix: 'Set a larger history.most, or a shorter history.keep.',
      needed: false,
    },
  ]
}
