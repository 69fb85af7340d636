/** Stream of a terminal. */
export type Out = { write(text: string): unknown }

/** Says what to do instead; words to type stand in plain quotes here, where nothing sets them apart. */
export const sayProblem = (err: Out, sentence: string): 2 => {
  err.write(`${sentence.trimEnd().replaceAll('`', '"')}\n`)
  return 2
}

/** Returns a view in plain words: the fallback text of a message is escaped for Slack, a terminal wants it as it is. */
export const plainView = ({ text }: { readonly text: string }): string =>
  `${text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')}\n`
