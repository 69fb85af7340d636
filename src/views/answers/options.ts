import type { JamRecommendation } from '../../domain/locks/recommendation.ts'
import { bold } from '../kit.ts'
import { type AnswerContext, commandTo, type Line } from './page.ts'

/**
 * Shows how to end each of these jams, with the command to ask for it. The same way is shown once.
 * @param mostOthers how many other ways out are shown for each jam
 */
export function optionLines(
  advice: readonly JamRecommendation[],
  asked: AnswerContext,
  { mostJams, mostOthers }: { readonly mostJams: number; readonly mostOthers: number },
): Line[] {
  const distinct = new Map<string, JamRecommendation>()
  for (const one of advice) {
    // Two roots that must end together make one way, whichever is named first.
    const pids = one.best ? [one.best.pid, ...one.best.together.map(({ pid }) => pid)] : []
    const key = pids.length > 1 ? pids.toSorted((a, b) => a - b).join() : one.text
    if (!distinct.has(key)) distinct.set(key, one)
  }
  return [...distinct.values()]
    .slice(0, mostJams)
    .flatMap(({ best, text, others }): Line[] => [
      best
        ? [bold('Best way out: '), text, ' ', commandTo(asked, `${best.action} ${best.pid} reason`)]
        : [bold('No way out from here: '), text],
      ...others.slice(0, mostOthers).map((other): Line => [bold('Other way out: '), other.text]),
    ])
}
