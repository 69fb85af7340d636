import type { Activity, Counted } from '../../domain/lists/activity.ts'
import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import { bold, code, type View } from '../kit.ts'
import { count } from '../words.ts'
import { notices } from './notices.ts'
import {
  type AnswerContext,
  compose,
  footer,
  type Line,
  lines,
  oneLine,
  type PictureAnswer,
  titled,
} from './page.ts'

/** Largest number of names in each list. */
const mostNames = 8

/** Shows what the sessions do, in numbers. */
export function activityView({
  picture,
  activity,
  asked,
}: PictureAnswer & { readonly activity: Activity }): View {
  const { clients, working, unseen } = activity
  const more = clients > 0 ? 'more ' : ''
  const { filters } = asked
  const nothing: Counted[] = working > 0 ? [{ name: 'nothing (they work)', count: working }] : []
  return compose(titled(`Activity on ${asked.cluster}`, asked), [
    lines(
      ...notices(picture, asked),
      ...(clients === 0 && unseen > 0 ? [] : [headline(activity, asked)]),
      ...(unseen > 0 ? [[`${count(unseen, `${more}process`, `${more}processes`)}, not to be seen.`]] : []),
    ),
    {
      kind: 'bullets',
      lines: [
        ...listed('State', activity.states),
        // Idle sessions wait for their client: what active ones do is worth more.
        ...listed(
          'Waits for',
          [...activity.waitEvents, ...nothing].sort((a, b) => b.count - a.count),
        ),
        ...listed('User', activity.users),
        ...listed('Application', activity.applications),
        ...listed('Database', activity.databases),
        ...(hasFilters(filters) ? [] : listed('Server processes', activity.processes)),
      ],
    },
    footer(picture, asked),
  ])
}

const headline = ({ matching, clients }: Activity, { filters }: AnswerContext): Line =>
  hasFilters(filters)
    ? [bold(`${matching} of ${count(clients, 'session')} match `), code(filterWords(filters)), '.']
    : [bold(`${count(clients, 'session')}.`)]

function listed(what: string, all: readonly Counted[]): Line[] {
  if (all.length === 0) return []
  const rest = all.slice(mostNames)
  const named = all.slice(0, mostNames).map(({ name, count: n }) => `${n} ${oneLine(name, 40)}`)
  const sum = rest.reduce((total, { count: n }) => total + n, 0)
  return [
    [
      bold(`${what}: `),
      `${named.join(', ')}${rest.length > 0 ? `, and ${count(rest.length, 'other')} (${sum} in all)` : ''}.`,
    ],
  ]
}
