import type { RootJson, SessionJson } from '../../answers/json.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { clean, truncate } from '../../views/kit.ts'
import { count, onOneLine, stateOf, waitEventOf } from '../../views/words.ts'
import type {
  AskedDocument,
  BlockingPage,
  ClustersPage,
  Documents,
  HealthDocument,
  HistoryPage,
  MomentDocument,
  Page,
  SessionDocument,
  SessionsPage,
} from '../documents.ts'
import type { OperationName } from '../operations.ts'

/** Most that one answer says in words, in characters. */
const longest = 4000
/** Most of the text of a stranger in a sentence. */
const longestQuote = 160

/** Puts lines below each other as long as there is room; says of how many there was none. */
function lines(all: readonly (string | null)[]): string {
  const said: string[] = []
  const rest = all.filter((line) => line !== null && line !== '')
  let left = longest - 100
  for (const line of rest) {
    const words = truncate(onOneLine(clean(line ?? '')), 900)
    left -= words.length + 1
    if (left < 0) break
    said.push(words)
  }
  const over = rest.length - said.length
  return [...said, ...(over > 0 ? [`${count(over, 'more line')}: see the data.`] : [])].join('\n')
}

const hidden = ({ cluster, seesOthers }: { readonly cluster: string; readonly seesOthers: boolean }) =>
  seesOthers ? null : `The sessions of others on ${cluster} are hidden from me: calm means nothing here.`

const more = ({ total, next }: Page, shown: number) =>
  next === null ? null : `These are ${shown} of ${total}; the next page: after=${next}.`

const quoted = (stranger: string) => `"${truncate(onOneLine(clean(stranger)), longestQuote)}"`

const who = ({ pid, applicationName, usename, datname }: SessionJson) =>
  `${pid} (${[applicationName || null, usename && `user ${usename}`, datname && `database ${datname}`].filter(Boolean).join(', ')})`

const sessionLine = (session: SessionJson) =>
  [
    `${who(session)}: ${stateOf(session)}`,
    session.blockedBy.length > 0 ? `waits behind ${session.blockedBy.slice(0, 5).join(', ')}` : '',
    waitEventOf(session),
    session.query === null ? '' : `statement ${quoted(session.query)}`,
  ]
    .filter(Boolean)
    .join('; ')

function rootLine(cluster: string, root: RootJson): string {
  const { action, pid, backendStart, reason } = root.recommendation
  const name = root.kind === 'session' ? `Session ${root.pid}` : `The prepared transaction ${root.gid ?? ''}`
  const since =
    root.oldestWaitSeconds === null ? '' : `, the first for ${formatDuration(root.oldestWaitSeconds)}`
  const behind = `${name} on ${cluster} keeps ${count(root.victims.length, 'session')} waiting${since}.`
  if (action === null) return `${reason} ${behind}`
  return `Best way out: ${action} ${pid} (backendStart ${backendStart}). ${reason} ${behind}`
}

const toAsk =
  'To have it done, ask with `propose` (cluster, pid, action, backendStart, reason): a person decides in Slack.'

const wordsOfClusters = (document: ClustersPage): string =>
  lines([
    document.total === 0 ? 'This token sees no cluster of that name.' : null,
    ...document.clusters.map(({ name, seen, why, incidents: [worst, ...others], incidentsLeftOut }) => {
      if (!seen) return `${name} cannot be seen, which is not calm: ${why ?? 'nothing is known of it yet'}`
      if (!worst) return `${name}: no open incidents.`
      const rest = others.length + incidentsLeftOut
      return `${name}: ${worst.severity}: ${worst.summary}${rest > 0 ? `, and ${rest} more` : ''}`
    }),
    more(document, document.clusters.length),
  ])

const wordsOfSessions = (document: SessionsPage): string =>
  lines([
    `${count(document.total, 'session')} on ${document.cluster}${document.totals ? `; ${document.totals.waiting} of all wait for a lock; ${document.totals.used} of ${document.totals.max} connections are used` : ''}.`,
    hidden(document),
    ...document.sessions.map(sessionLine),
    more(document, document.sessions.length),
  ])

const wordsOfBlocking = (document: BlockingPage): string =>
  lines([
    document.locksUnread && `The locks could not be read: ${document.locksUnread}`,
    ...document.roots.map((root) => rootLine(document.cluster, root)),
    document.roots.some(({ recommendation }) => recommendation.action) ? toAsk : null,
    document.total === 0 && document.cycles.length === 0 && document.locksUnread === null
      ? `Nobody waits for a lock on ${document.cluster}.`
      : null,
    document.cycles.length > 0
      ? `${count(document.cycles.length, 'circle')} of sessions that wait for each other: the server ends one of each by itself.`
      : null,
    hidden(document),
    ...document.sessions.map(sessionLine),
    more(document, document.roots.length),
  ])

function wordsOfMoment(document: MomentDocument): string {
  if (!('notSeen' in document)) return lines([`It was seen at ${document.takenAt}.`, wordsOfPast(document)])
  const { at, why, before, after } = document.notSeen
  return lines([
    `Nothing was seen of ${document.cluster} at ${at}, which is not calm${why === null ? '.' : `: ${why}`}`,
    before && `The look before it is of ${before}.`,
    after && `The look after it is of ${after}.`,
  ])
}

/** Says who blocked whom without a way out: it is over. */
const wordsOfPast = ({ roots, cluster }: BlockingPage): string =>
  roots.length === 0
    ? `Nobody waited for a lock on ${cluster}.`
    : roots
        .map(({ pid, victims }) => `Session ${pid} kept ${count(victims.length, 'session')} waiting.`)
        .join(' ')

function wordsOfSession({ cluster, session, victims, jam, mayPropose }: SessionDocument): string {
  const { action, why } = mayPropose
  return lines([
    jam && rootLine(cluster, jam),
    action === null
      ? `Nothing can be proposed for ${session.pid}. ${why}`
      : `For ${session.pid} you may propose ${action} (backendStart ${session.backendStart}). ${why}`,
    sessionLine(session),
    victims.length > 0 ? `It keeps ${count(victims.length, 'session')} waiting.` : null,
    action === null ? null : toAsk,
  ])
}

const wordsOfHealth = (document: HealthDocument): string =>
  lines([
    document.unread && `No health check could be made now: ${document.unread}`,
    document.findings.length === 0 && document.unread === null
      ? `Nothing is wrong on ${document.cluster}.`
      : null,
    hidden(document),
    ...document.findings.map(({ severity, summary }) => `${severity}: ${summary}`),
  ])

const wordsOfHistory = (document: HistoryPage): string =>
  lines([
    document.total === 0 ? 'Nothing happened in that time that I know of.' : null,
    ...document.entries.map(({ at, incident, proposals: [proposal] }) => {
      const asked =
        proposal && `${proposal.state}: ${proposal.summary}. ${proposal.outcome?.sentence ?? ''}`.trim()
      return [`${at}: ${incident?.summary ?? ''}`, asked].filter(Boolean).join(' ')
    }),
    more(document, document.entries.length),
  ])

const wordsOfAsked = (document: AskedDocument): string =>
  lines([endOf(document), document.card.permalink && `The card: ${document.card.permalink}`])

function endOf({ id, state, action, session, cluster, ...rest }: AskedDocument): string {
  const what = `${action} of ${session.pid} on ${cluster}`
  const { decision, outcome, needed, expiresAt, followedBy } = rest
  const next = followedBy === null ? '' : ` The proposal ${followedBy} took its place.`
  switch (state) {
    case 'open':
      return `Asked, not decided: the ${what} waits for ${count(needed, 'approval')} until ${expiresAt}. Wait with \`proposal\` (id ${id}, wait 45s); do nothing else about it meanwhile.`
    case 'claimed':
      return `Approved, and being carried out: the ${what}. Ask again with \`proposal\` (id ${id}, wait 10s).`
    case 'done':
      return `Approved. ${outcome?.sentence ?? 'What came of it is not known.'}${next}`
    case 'denied':
      return `Denied by a person${decision?.reason ? `, who says ${quoted(decision.reason)}` : ''}: the ${what} is not done. Do not ask for it again unless something has changed.${next}`
    case 'expired':
      return `Nobody decided in time: the ${what} is not done.${next}`
    case 'withdrawn':
      return `It was taken back, because it is not needed any more: the ${what} is not done.${next}`
  }
}

/** Answers in a few sentences, the most important first: what a model reads before it looks at the data. */
export const words: { readonly [N in OperationName]: (document: Documents[N]) => string } = {
  clusters: wordsOfClusters,
  sessions: wordsOfSessions,
  blocking: wordsOfBlocking,
  session: wordsOfSession,
  health: wordsOfHealth,
  history: wordsOfHistory,
  at: wordsOfMoment,
  propose: wordsOfAsked,
  proposal: wordsOfAsked,
}
