import { advisoryLock } from './advisory-lock.ts'
import { chain } from './chain.ts'
import { connectionLeak } from './connection-leak.ts'
import { deadlockLoop } from './deadlock-loop.ts'
import { forgottenTransaction } from './forgotten-transaction.ts'
import { migration } from './migration.ts'
import { preparedTransaction } from './prepared-transaction.ts'
import { rowQueue } from './row-queue.ts'
import { runawayQuery } from './runaway-query.ts'
import type { Scenario } from './scenario.ts'
import { standbyConflict } from './standby-conflict.ts'
import { stubbornRetry } from './stubborn-retry.ts'

export const scenarios: readonly Scenario[] = [
  rowQueue,
  migration,
  chain,
  advisoryLock,
  preparedTransaction,
  forgottenTransaction,
  runawayQuery,
  stubbornRetry,
  standbyConflict,
  connectionLeak,
  deadlockLoop,
]
