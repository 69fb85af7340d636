import { advisoryLock } from './advisoryLock.ts'
import { chain } from './chain.ts'
import { connectionLeak } from './connectionLeak.ts'
import { deadlockLoop } from './deadlockLoop.ts'
import { forgottenTransaction } from './forgottenTransaction.ts'
import { fullServer } from './fullServer.ts'
import { idleLeak } from './idleLeak.ts'
import { migration } from './migration.ts'
import { preparedTransaction } from './preparedTransaction.ts'
import { rowQueue } from './rowQueue.ts'
import { runawayQuery } from './runawayQuery.ts'
import type { Scenario } from './scenario.ts'
import { standbyConflict } from './standbyConflict.ts'
import { stubbornRetry } from './stubbornRetry.ts'

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
  idleLeak,
  connectionLeak,
  fullServer,
  deadlockLoop,
]
