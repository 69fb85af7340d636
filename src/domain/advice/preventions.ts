import type { Evidence, Prevention } from './prevention.ts'
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
