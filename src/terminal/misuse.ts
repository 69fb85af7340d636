/** What `parseArgs` of Node refuses, in one sentence: the first says which option it was, the rest is advice for another case. */
export const misuseOf = (error: Error): string => `${error.message.split('. ')[0]?.replace(/\.$/, '')}.`
