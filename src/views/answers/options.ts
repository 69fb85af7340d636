import type { JamRecommendation } from '../../domain/locks/recommendation.ts'
import { bold } from '../kit.ts'
import { type AnswerContext, commandTo, type Line } from './page.ts'

/** Advice on a jam. `whose`: the name of its root; null where it has none that is a session. */
export type Advice = JamRecommendation & { readonly whose: string | null }

/**
 * Shows how to end each of these jams, with the command to ask for it while there is still time. The same way is shown once. Several are marked with whose
 * jam they end.
 * @param mostOthers how many other ways out are shown for each jam
 */
export function optionLines(
  advice: readonly Advice[],
  asked: AnswerContext,
  { mostJams, mostOthers }: { readonly mostJams: number; readonly mostOthers: number },
): Line[] {
  const distinct = new Map<string, Advice>()
  for (const one of advice) {
    // Two roots that must end together make one way, whichever is named first.
    const pids = one.best ? [one.best.pid, ...one.best.together.map(({ pid }) => pid)] : []
    const key = pids.length > 1 ? pids.toSorted((a, b) => a - b).join() : one.text
    if (!distinct.has(key)) distinct.set(key, one)
  }
  const { past } = asked
  const [best, other, none] = past
    ? ['What would have ended it', 'So would this', 'Nothing from here would have ended it']
    : ['Best way out', 'Other way out', 'No way out from here']
  const marked = (whose: string | null) => (distinct.size > 1 && whose !== null ? ` for ${whose}` : '')
  return [...distinct.values()]
    .slice(0, mostJams)
    .flatMap(({ best: way, text, others, whose }): Line[] => [
      way
        ? [
            bold(`${best}${marked(whose)}: `),
            text,
            ...(past ? [] : [' ', commandTo(asked, `${way.action} ${way.pid} reason`)]),
          ]
        : [bold(`${none}${marked(whose)}: `), text],
      ...others.slice(0, mostOthers).map(({ text }): Line => [bold(`${other}: `), text]),
    ])
}
