import type { AdvisedServer, Evidence, PastTrouble, Prevention } from './prevention.ts'
import { preventsWaits, serverSettings } from './serverSettings.ts'
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
export function preventionOf(trouble: PastTrouble, server: AdvisedServer): string | null {
  const all = preventionsFor({ ...server, troubles: [trouble], spells: [], isRecorded: false })
  return all.find(preventsWaits)?.statement ?? null
}
