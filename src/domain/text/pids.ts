/** So many process ids of one text are looked up. */
const mostPids = 30

/** Slack writes people, channels, links and dates in angle brackets: https://docs.slack.dev/messaging/formatting-message-text */
const slackMarkup = /<[^<>]*>/g

/**
 * A whole number that stands alone: no part of an address, a time, a date, a version or another word, and before no unit. A
 * process id of Linux has at most seven digits.
 */
const number =
  /(?<![\p{L}\p{N}_.,:/$-])\d{2,7}(?![\p{L}\p{N}_/]|[.,:-]\d|[ \u00a0](?:ms|s|min|h|d|%|bytes|[kMGT]B)(?![\p{L}\d]))/gu
/** The same behind the word, whatever follows. */
const named = /\b(?:pid|process|session|backend)s?\b["'\s:=#(]{1,4}(\d{1,7})(?!\d)/giu

/** Finds the numbers in a text that may be process ids, those that are called so first. */
export function pidsIn(text: string): number[] {
  const plain = text.replaceAll(slackMarkup, ' ')
  const found = [
    ...[...plain.matchAll(named)].map(([, digits]) => Number(digits)),
    ...[...plain.matchAll(number)].map(([digits]) => Number(digits)),
  ]
  return [...new Set(found)].filter((pid) => pid > 0).slice(0, mostPids)
}
