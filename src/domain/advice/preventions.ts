import type { Evidence, PastTrouble, Prevention } from './prevention.ts'
import { serverSettings } from './serverSettings.ts'
import { timeLimits } from './timeLimits.ts'

/**
 * Advises what would have prevented the trouble that was seen, the worst trouble first. What is set already, or is not known to
 * the server's version, is not advised.
 */
export const preventionsFor = (known: Evidence): Prevention[] => [
  ...timeLimits(known),
  ...serverSettings(known),
]

/** Finds the statement that would have prevented one trouble; null where there is none, or it was run already. */
export function preventionOf(
  trouble: PastTrouble,
  known: Pick<Evidence, 'settings' | 'target' | 'slotRetainsBytes'>,
): string | null {
  const all = preventionsFor({ ...known, troubles: [trouble], spells: [], isRecorded: false })
  // That waits are written to the log prevents none.
  return all.find(({ setting }) => setting !== 'log_lock_waits')?.statement ?? null
}
