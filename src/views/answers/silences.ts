import type { Silence } from '../../domain/incidents/silence.ts'
import { bold, user, type View } from '../kit.ts'
import { quietUntil, silenceWords } from '../words.ts'
import { compose, type Line, lines } from './page.ts'

/** Lists what brings no new cards now, and until when. */
export const silencesView = (cluster: string, silences: readonly Silence[]): View =>
  compose(`Quiet periods on ${cluster}`, [
    silences.length === 0
      ? lines(['Nothing is silent: every new trouble brings its card.'])
      : {
          kind: 'bullets',
          lines: silences.map(
            (silence): Line => [
              bold(silenceWords(silence.scope)),
              ' until ',
              ...quietUntil(silence),
              ', by ',
              user(silence.by),
              ...(silence.reason ? [`: ${silence.reason}`] : []),
            ],
          ),
        },
    lines([
      'Everything is still watched and written down. When the quiet ends, one line says what happened, and what lasts gets its card.',
    ]),
  ])
