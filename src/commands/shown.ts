import { clean, truncate } from '../views/kit.ts'

/**
 * What somebody typed, fit to be repeated inside a sentence of ours: one line, short, without backticks, which would
 * end its quote, and without angle brackets, so that it mentions nobody even where the sentence is sent as mrkdwn.
 */
export const shown = (typed: string): string =>
  truncate(
    clean(typed.slice(0, 200))
      .replaceAll(/[`<>\s]+/g, ' ')
      .trim(),
    40,
  )
