import type { WatchedCluster } from '../commands/cluster.ts'
import type { Config } from '../config/config.ts'
import type { Store } from '../store/store.ts'
import { type Answers, createAnswers } from './answer.ts'
import type { WatcherOf } from './clusters.ts'
import type { Directory } from './oncall.ts'
import type { Past } from './openCards.ts'
import { type PastLooks, recordOf } from './record.ts'
import { createReports, type Reports } from './report.ts'
import { createTop, type TopAnswers } from './top.ts'

/** Answers of a bot that runs, with the memory that they read. */
export type Answering = {
  readonly answers: Answers
  readonly past: Past
  /** Looks of the past; null where none are recorded. */
  readonly record: PastLooks | null
  readonly reports: Reports
  readonly top: TopAnswers
}

export function createAnswering(deps: {
  readonly store: Store
  readonly linkTo: Past['linkTo']
  readonly recording: Required<Pick<PastLooks, 'settle'>>
  readonly config: Pick<Config, 'history' | 'queryText'>
  readonly clusters: ReadonlyMap<string, WatchedCluster>
  /** Gives a statement the form in which it may leave. */
  readonly maskText: (text: string | null) => string | null
  readonly directory: Directory
  readonly watcherOf: WatcherOf
  readonly now: () => number
}): Answering {
  const { store, linkTo, recording, config } = deps
  const top = createTop(deps)
  const past = { ...store, linkTo }
  const record = recordOf({ ...store.history, settle: recording.settle }, config)
  const reports = createReports({ ...deps, past, record })
  return { answers: createAnswers({ ...deps, past, record, reports, top }), past, record, reports, top }
}
