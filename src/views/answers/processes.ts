import { type ClientProcess, type HostCounts, holdersOnHost } from '../../domain/host/list.ts'
import { type Backend, neverKill, seenOnHost, untold } from '../../domain/host/process.ts'
import type { Filters } from '../../domain/lists/filters.ts'
import type { Fit } from '../../domain/session/allowedAction.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { formatSize } from '../../domain/text/size.ts'
import { bold, clean, truncate, type View } from '../kit.ts'
import { count, onOneLine, whoOf } from '../words.ts'
import { type AnswerContext, commandTo, compose, type Line, lines } from './page.ts'

/** A process with the share of a core that it takes. */
export type ShownProcess = { readonly backend: Backend; readonly share: number | null }

type HostAnswer = {
  /** Reason why the server itself cannot be asked. */
  readonly reason: string
  readonly asked: Pick<AnswerContext, 'cluster' | 'several'>
}

const titles = { sessions: 'Processes', long: 'Busy processes', idle: 'Idle processes' } as const
const mostRows = 25

/** Draws `/pg sessions`, `/pg long` and `/pg idle` by the operating system, where the server cannot be asked. */
export function processesView({
  kind,
  reason,
  asked,
  counts,
  clients,
  shares,
  leftOut,
}: HostAnswer & {
  readonly kind: keyof typeof titles
  readonly counts: HostCounts
  /** Those that were asked for. */
  readonly clients: readonly ClientProcess[]
  readonly shares: ReadonlyMap<number, number | null>
  /** Filters that no process can match. */
  readonly leftOut: readonly (keyof Filters)[]
}): View {
  const shown = clients.slice(0, mostRows)
  return compose(`${titles[kind]} of ${asked.cluster}`, [
    lines(
      ...unasked(asked.cluster, reason),
      [bold(`${processCounts(counts)}.`), ...troubleWords(counts)],
      ...heldBy(clients),
      ...(leftOut.length > 0
        ? [
            [
              `Left out: ${leftOut.map((name) => `--${name === 'olderSeconds' ? 'older' : name}`).join(' and ')}. No process shows that.`,
            ],
          ]
        : []),
    ),
    ...(shown.length > 0
      ? [
          {
            kind: 'table',
            head: ['PID', 'Who', 'Title', 'Process', 'Connected', 'CPU', 'Disk'],
            rows: shown.map(({ backend, session }) => [
              String(backend.pid),
              truncate(whoOf(session), 60),
              truncate(
                onOneLine(clean(backend.what?.kind === 'client' ? (backend.what.activity ?? '?') : '')),
                40,
              ),
              stateWords(backend),
              formatDuration(backend.seconds),
              [shareWords(shares.get(backend.pid) ?? null), formatDuration(backend.cpuSeconds)]
                .filter(Boolean)
                .join(', '),
              diskWords(backend),
            ]),
          } as const,
        ]
      : [lines(['Nobody of them.'])]),
    lines(
      ...(clients.length > shown.length ? [[`${clients.length - shown.length} more.`]] : []),
      [
        commandTo(asked, 'terminate PID reason'),
        ' asks the approvers: then I send SIGTERM (cancel: SIGINT) to that one process.',
      ],
      ...killLines(),
    ),
  ])
}

/** Draws `/pg session PID` by the operating system. */
export function processView({
  reason,
  asked,
  process: { backend, share },
  fit,
}: HostAnswer & { readonly process: ShownProcess; readonly fit: Fit }): View {
  const { pid, title, what } = backend
  return compose(`Process ${pid} of ${asked.cluster}`, [
    lines(...unasked(asked.cluster, reason), [bold(truncate(processWords(backend), 250))]),
    {
      kind: 'bullets',
      lines: [
        ...(what?.kind === 'client'
          ? [
              [
                bold('Client: '),
                `${onOneLine(clean(what.client))}, connected for ${formatDuration(backend.seconds)}.`,
              ],
            ]
          : []),
        machineLine({ backend, share }),
        [bold('Not to be seen: '), 'its locks, its statement, its transaction and its application.'],
      ],
    },
    lines([bold('Title:')]),
    { kind: 'preformatted', value: truncate(onOneLine(clean(title)), 500) },
    lines(
      ...(fit.action === null
        ? [[bold('Nothing to do from here: '), fit.why]]
        : [
            [
              bold('What could be done: '),
              commandTo(asked, `${fit.action} ${pid} reason`),
              `: ${fit.why} ${fit.otherwise}`,
            ],
            ...killLines(),
          ]),
    ),
  ])
}

/** Says that no such process is there. */
export const noProcessView = ({ reason, asked, pid }: HostAnswer & { readonly pid: number }): View =>
  compose(`Process ${pid} of ${asked.cluster}`, [
    lines(...unasked(asked.cluster, reason), [
      `The server has no process ${pid} (any more). `,
      commandTo(asked, 'sessions'),
      ' shows those that are there.',
    ]),
  ])

/** Says why this is no ordinary answer. */
const unasked = (cluster: string, reason: string): Line[] => [
  [bold(`Cannot ask ${cluster}: `), `${reason.replace(/\.$/, '')}.`],
  [bold(seenOnHost)],
]

const killLines = (): Line[] => neverKill.split('\n').map((line) => [line])

/** Counts the processes by what they do: `97 of 104 processes serve clients: 3 run something, 12 in a transaction, 82 idle`. */
export const processCounts = (counts: HostCounts): string =>
  `${counts.clients} of ${count(counts.all, 'process serves', 'processes serve')} clients: ${counts.running} running, ${counts.inTransaction} idle in transaction, ${counts.idle} idle${counts.untold > 0 ? `, ${counts.untold} not to be told (update_process_title is off)` : ''}`

const troubleWords = ({ stopped, inKernel, untold: unknown }: HostCounts): Line => [
  ...(unknown > 0 ? [` None of those can be ended from here: ${untold.why}. ${untold.fix}`] : []),
  ...(stopped > 0
    ? [` ${count(stopped, 'is', 'are')} stopped (T): a signal stays pending until they go on.`]
    : []),
  ...(inKernel > 0
    ? [` ${count(inKernel, 'waits', 'wait')} in the kernel for a disk or the network (D): look there.`]
    : []),
]

function heldBy(clients: readonly ClientProcess[]): Line[] {
  const most = holdersOnHost(clients).slice(0, 3)
  return most.length === 0
    ? []
    : [
        [
          bold('Held by: '),
          `${most.map(({ who, count }) => `${count} ${truncate(onOneLine(clean(who)), 60)}`).join('; ')}.`,
        ],
      ]
}

/** Says what a process does and takes of the machine. */
export const machineLine = (shown: ShownProcess): Line => [
  bold('On the machine: '),
  `${usageWords(shown.backend, shown.share)}.`,
]

/** Names a server process by its title: `shop orders [local]: idle in transaction`. */
export const processWords = ({ what }: Pick<Backend, 'what'>): string =>
  onOneLine(
    clean(
      what?.kind === 'client'
        ? `${what.userAndDatabase} ${what.client}: ${what.activity ?? 'its title does not say what it does'}`
        : (what?.name ?? 'without a title of the server'),
    ),
  )

/** Says what a process does and has used: `sleeps; since 2 h; 3 s of CPU; read 12 MB, wrote 0 B`. */
export const usageWords = (backend: Backend, share: number | null = null): string =>
  [
    stateWords(backend),
    `since ${formatDuration(backend.seconds)}`,
    cpuWords(backend, share),
    diskWords(backend),
  ].join('; ')

/** `98 % of a core, 3 s of CPU in all` */
export const cpuWords = ({ cpuSeconds }: Pick<Backend, 'cpuSeconds'>, share: number | null): string =>
  share === null
    ? `${formatDuration(cpuSeconds)} of CPU`
    : `${shareWords(share)} of a core now, ${formatDuration(cpuSeconds)} of CPU in all`

const shareWords = (share: number | null): string => (share === null ? '' : `${Math.round(share * 100)} %`)

export const diskWords = ({ io }: Pick<Backend, 'io'>): string =>
  io ? `read ${formatSize(io.read)}, wrote ${formatSize(io.written)}` : 'input and output not to be seen'

/** Says what a process does, by its state letter. */
const stateWords = ({ state }: Pick<Backend, 'state'>): string => states[state] ?? state

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
