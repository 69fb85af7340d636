import type { Backend } from '../../domain/host/process.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { formatSize } from '../../domain/text/size.ts'
import { clean } from '../kit.ts'
import { onOneLine } from '../words.ts'

/** Names a server process by its title: `shop orders [local]: idle in transaction`. */
export const processWords = ({ what }: Pick<Backend, 'what'>): string =>
  onOneLine(
    clean(
      what?.kind === 'client'
        ? `${what.userAndDatabase} ${what.client}: ${what.activity}`
        : (what?.name ?? 'without a title of the server'),
    ),
  )

/** Says what a process does and has used: `sleeps; since 2 h; 3 s of CPU; read 12 MB, wrote 0 B`. */
export const usageWords = (backend: Backend): string =>
  [
    `${stateWords(backend)}`,
    `since ${formatDuration(backend.seconds)}`,
    cpuWords(backend),
    diskWords(backend),
  ].join('; ')

export const cpuWords = ({ cpuSeconds }: Pick<Backend, 'cpuSeconds'>): string =>
  `${formatDuration(cpuSeconds)} of CPU`

export const diskWords = ({ io }: Pick<Backend, 'io'>): string =>
  io ? `read ${formatSize(io.read)}, wrote ${formatSize(io.written)}` : 'input and output not to be seen'

/** Says what a process does, by its state letter. */
export const stateWords = ({ state }: Pick<Backend, 'state'>): string => states[state] ?? state

/** See proc(5). */
const states: Readonly<Record<string, string>> = {
  R: 'runs',
  S: 'sleeps',
  D: 'waits for a disk or the network (D)',
  T: 'is stopped (T)',
  t: 'is stopped by a debugger (t)',
  Z: 'has ended',
  I: 'sleeps',
}
