import {
  type Figures,
  type ResponseResult,
  type ResponseStep,
  responseResults,
  responseSteps,
} from '../../domain/incidents/figures.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { code, type View } from '../kit.ts'
import { compose, lines } from './page.ts'

const stepNames: Readonly<Record<ResponseStep, string>> = {
  troubleToCard: 'From the trouble to its card',
  cardToAcknowledged: 'From the card to acknowledged',
  cardToApproved: 'From the card (or the request) to approved',
  pressToGone: 'From the press to seen gone',
}

const countNames: Readonly<Record<ResponseResult, string>> = {
  incidents: 'Incidents',
  proposals: 'Proposals',
  approved: 'Approved',
  denied: 'Denied',
  expired: 'Expired, nobody decided',
  withdrawn: 'Withdrawn, the trouble was over or another',
  changedAtPress: 'Changed at the press, so nothing was sent',
  called: 'Calls of people',
  escalated: 'Of these, next steps because nobody answered',
}

/** Shows how quickly trouble was seen, answered and ended, and what became of what was asked. */
export function statsView({
  figures,
  clusters,
  sinceMs,
}: {
  readonly figures: Figures
  readonly clusters: readonly string[]
  readonly sinceMs: number
}): View {
  const title = `Response in the last ${formatDuration(sinceMs / 1000)}${clusters.length === 1 ? ` on ${clusters[0]}` : ''}`
  if (figures.counts.incidents + figures.counts.proposals === 0)
    return compose(title, [
      lines(['Nothing happened. ', code('/pg stats --since 90d'), ' looks further back.']),
    ])
  return compose(title, [
    {
      kind: 'table',
      head: ['Step', 'Times', 'Half within', '95 % within'],
      rows: responseSteps.map((step) => {
        const spread = figures.steps[step]
        return spread === null
          ? [stepNames[step], '0', '–', '–']
          : [
              stepNames[step],
              String(spread.n),
              formatDuration(spread.p50 / 1000),
              formatDuration(spread.p95 / 1000),
            ]
      }),
    },
    {
      kind: 'bullets',
      lines: responseResults.map((name) => [`${countNames[name]}: ${figures.counts[name]}`]),
    },
  ])
}
