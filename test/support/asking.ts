import { checkBlocks, checkText } from 'slack-workspace'
import { type Answer, createAnswers, type Question } from '../../src/answers/answer.ts'
import { createTop } from '../../src/answers/top.ts'
import type { WatchedCluster } from '../../src/commands/cluster.ts'
import { parseCommand } from '../../src/commands/command.ts'
import type { ClusterConfig } from '../../src/config/config.ts'
import type { Picture } from '../../src/domain/locks/picture.ts'
import type { LockGroup } from '../../src/domain/session/snapshot.ts'
import { type Cluster, ClusterError } from '../../src/postgres/cluster.ts'
import { clusterErrorWith } from '../../src/postgres/errors.ts'
import type { View } from '../../src/views/kit.ts'
import { takenAt, thresholds } from './builders.ts'

export const clusterConfig = (name: string, over: Partial<ClusterConfig> = {}): ClusterConfig => ({
  name,
  url: `postgres://marshal:secret@db.example/${name}`,
  passwordFile: null,
  pgbouncer: null,
  host: null,
  channel: 'C0OPS',
  access: { viewers: 'everyone', requesters: 'everyone', approvers: ['U0DANA'] },
  approvals: {
    people: { cancel: 1, terminate: 1 },
    requesterMayApprove: false,
    secondFactor: { cancel: false, terminate: false },
    breakGlass: [],
    expireAfterMs: 900_000,
  },
  watch: { ...thresholds, cardsPerMinute: 6, everyMs: 5000 },
  protected: [],
  notify: {
    mention: [],
    from: 'critical',
    remindAfterMs: Number.POSITIVE_INFINITY,
    escalate: [],
    webhooks: [],
  },
  ...over,
})

/** A cluster that shows one picture; sessions carry their statements from the start. */
export function pictureCluster(
  picture: Picture,
  ownLocks: readonly LockGroup[] | ClusterError = [],
  over: Partial<Cluster> = {},
): Cluster {
  const unused = () => {
    throw new Error('an answer only looks')
  }
  return {
    name: picture.snapshot.cluster,
    start: unused,
    failure: () => null,
    snapshot: async () => picture.snapshot,
    health: async () => {
      if (!picture.snapshot.health) throw clusterErrorWith('DEADLINE')
      return picture.snapshot.health
    },
    withText: async (sessions) => [...sessions],
    look: unused,
    locksOf: async () => {
      if (ownLocks instanceof ClusterError) throw ownLocks
      return [...ownLocks]
    },
    locksOn: unused,
    explainWait: async () => null,
    rewriteProgress: async () => null,
    statementStats: { read: unused, texts: unused },
    signal: unused,
    settings: async () => [],
    missingPrivileges: async () => [],
    close: unused,
    ...over,
  } as Cluster
}

export const watching = (...clusters: readonly WatchedCluster[]): ReadonlyMap<string, WatchedCluster> =>
  new Map(clusters.map((watched) => [watched.config.name, watched]))

/** Types a command, and checks what comes back against Slack's limits. Two seconds pass on the way. */
export async function ask(
  typed: string,
  clusters: ReadonlyMap<string, WatchedCluster>,
  channelId: string | null = null,
): Promise<Answer> {
  const command = parseCommand(typed)
  if (command.kind === 'problem') throw new Error(command.message)
  const answers = createAnswers({
    clusters,
    past: null,
    top: createTop(),
    directory: null,
    now: () => takenAt + 2000,
  })
  const answer = await answers(command as Question, channelId)
  checkView(answer.view)
  return answer
}

/** Returns the answer of one cluster with this picture, as a screen reader says it. */
export const transcript = async (
  typed: string,
  picture: Picture,
  ownLocks: readonly LockGroup[] | ClusterError = [],
  over: Partial<Cluster> = {},
): Promise<string> => {
  const watched = { config: clusterConfig('orders'), cluster: pictureCluster(picture, ownLocks, over) }
  return (await ask(typed, watching(watched))).view.text
}

/** Throws where Slack would refuse the view, or a text of the database could be taken for markup. */
export function checkView(view: View): void {
  checkBlocks(view.blocks)
  checkText(view.text, view.blocks, 4000)
  if (JSON.stringify(view.blocks).includes('"mrkdwn"')) throw new Error('mrkdwn in an answer')
  // A person who did something is named by their id, which is none of the database's.
  if (/[<>]/.test(view.text.replaceAll(/<@[UW]\w+>/g, '')))
    throw new Error('an unescaped bracket in the text')
}
