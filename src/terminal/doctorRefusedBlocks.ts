import { isStillRefused, tryAgainMs } from '../slack/refusedBlocks.ts'
import { chartKind } from '../views/plainBlocks.ts'
import type { Check } from './doctorCheck.ts'
import type { Memory } from './doctorMemory.ts'

/** Looks which kinds of blocks the workspace refused lately. */
export function checkRefusedBlocks(memory: Memory, now: number): Check[] {
  if ('failure' in memory)
    return [
      { what: 'not known which kinds of blocks this workspace refuses', fix: memory.failure, needed: false },
    ]
  const refused = memory.refused.filter(({ at }) => isStillRefused(at, now))
  return refused.map(({ kind, at }) => ({
    what: `this workspace refuses blocks of the kind ${kind}`,
    fix: `They go as ${kind === chartKind ? 'tables' : 'plain sections with the same buttons'}. They are tried again after a day, at ${new Date(at + tryAgainMs).toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    needed: false,
  }))
}
